"""What TensorBoard's own reader finds in a folder of event files, as JSON.

usage: event_files.py FOLDER
"""

import base64
import json
import sys

from tensorboard.backend.event_processing import event_accumulator as reader

everything = {kind: 0 for kind in (reader.SCALARS, reader.IMAGES, reader.TENSORS)}
found = reader.EventAccumulator(sys.argv[1], size_guidance=everything)
found.Reload()
tags = found.Tags()
print(json.dumps({
    "scalars": {tag: [{"step": event.step, "value": event.value} for event in found.Scalars(tag)]
                for tag in tags["scalars"]},
    "pictures": {tag: [{"step": event.step, "width": event.width, "height": event.height,
                        "png": base64.b64encode(event.encoded_image_string).decode()}
                       for event in found.Images(tag)]
                 for tag in tags["images"]},
    "texts": {tag: found.Tensors(tag)[-1].tensor_proto.string_val[0].decode()
              for tag in tags["tensors"]},
}))
