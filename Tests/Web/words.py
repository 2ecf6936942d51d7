"""How long other words for a seen picture take beside the first answer: words.py BARON MODEL PICTURE [ROUNDS]

Each round asks for the picture as one that is new, then for the same picture with so many words that the server has not
met, and with words that it knows. Printed are medians on the clock and in processor seconds of the server, which other work
on the machine moves less, and their ratios to the first answer. Errors end the script; times do not.
"""

import statistics
import sys

from server import Server

NEW = (1, 2, 4, 8, 16)
NOUNS = """anchor apron badge ball barn bell bench boot bottle bowl bridge broom brush bucket button cabin cable camel candle
canoe carpet castle chain chest clock coat comb corn couch crane crown cube curtain desk doll door dress drill drum eagle
engine fence flag flute fork fountain fox frame frog garden gate glove goat goose guitar hammer hat helmet horn hose house
jacket jar kettle key kite knife ladder lamp lantern leaf lemon lion lizard lock mailbox map mask mirror monkey moon
motor mouse mug nail necklace needle nest net oven owl paddle palm pan parrot peach pear pen pencil piano pillow pipe
plate plow pond pot pump puppet purse rabbit radio rail rake ring road robot rock rope rose rug sail saw scale scarf
screen seal shed shelf shell shield ship shirt shoe shovel sign sink skirt sled snail soap sock spider spoon stairs statue
stone stool stove straw street sugar suit swan sword table tent tiger tile tire toad torch towel tower toy tractor
train tray trumpet tub tunnel turtle vase vest violin wagon wall wallet watch well whale wheel whip whistle wing wolf
wood worm yarn zebra""".split()


def measure(baron, model, path, rounds):
    with open(path, "rb") as file:
        picture = file.read()
    # A combination of two nouns is another word than either, so that they last for any number of rounds.
    fresh = iter(NOUNS + [f"{first} {second}" for first in NOUNS for second in NOUNS])
    kinds = ["first answer"] + [f"{count} new" for count in NEW] + ["16 known"]
    clock, processor = ({kind: [] for kind in kinds} for _ in range(2))
    server = Server(baron, model, "--timeout", "600")
    try:
        server.detect(picture + b"warm", ",".join(next(fresh) for _ in range(16)))
        for number in range(rounds):
            # Bytes after the end make it another picture, with the same pixels.
            data = picture + b"%d" % number
            known = "first, warm"
            for kind in kinds:
                words = known if not kind.endswith("new") else ",".join(
                    next(fresh) for _ in range(int(kind.split()[0])))
                before = server.processor_seconds()
                seconds, answer = server.detect(data, words)
                assert answer["seen"] == (kind != "first answer"), kind
                clock[kind].append(seconds)
                processor[kind].append(server.processor_seconds() - before)
                known = words
    finally:
        server.stop()
    # Of a small detector the processor's clock may show nothing.
    first = [max(statistics.median(times["first answer"]), 1e-3) for times in (clock, processor)]
    for kind in kinds:
        times = [statistics.median(entry[kind]) for entry in (clock, processor)]
        print(f"{kind:>12}: {times[0]:.3f} s, {times[1]:.2f} processor seconds; of the first answer "
              f"{times[0] / first[0]:.3f}, {times[1] / first[1]:.3f}", flush=True)


if __name__ == "__main__":
    measure(*sys.argv[1:4], int(sys.argv[4]) if len(sys.argv) > 4 else 5)
