"""The errors of detections by kind and what they cost, as TIDE's own program finds them, as JSON.

usage: error_kinds.py TRUTH FOUND
"""

import contextlib
import io
import json
import sys

from tidecv import TIDE, datasets

with contextlib.redirect_stdout(io.StringIO()):
    tide = TIDE()
    run = tide.evaluate(datasets.COCO(sys.argv[1]), datasets.COCOResult(sys.argv[2]), mode=TIDE.BOX)
    costs = tide.get_main_errors()
costs = next(iter(costs.values()))
counts = {kind.short_name: len(errors) for kind, errors in run.error_dict.items()}
print(json.dumps({"ap": run.ap, "costs": {kind: float(cost) for kind, cost in costs.items()}, "counts": counts}))
