"""Small data sets for tests: images on a dark ground as IDX files and as PNGs."""

import random
import struct
import zlib

IMAGES = 100


def png(channels, height, width, image):
    """image: (channels, height, width)"""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    plane = height * width
    pixels = bytes(image[c * plane + i] for i in range(plane) for c in range(channels))
    row = width * channels
    rows = b"".join(b"\0" + pixels[y * row:(y + 1) * row] for y in range(height))
    colour = 2 if channels == 3 else 0
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, colour, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))


class DataSet:
    """Images on a dark ground, as IDX files of a training and a test set, and as PNGs."""

    def __init__(self, folder, form, classes):
        rng = random.Random(1)
        channels, height, width = form

        def pixel(y, x):
            inside = 2 <= y < height - 2 and 2 <= x < width - 2
            return rng.choice((0, 0, 0, rng.randint(0, 255))) if inside else 0

        self.images = [bytes(pixel(y, x) for _ in range(channels) for y in range(height) for x in range(width))
                       for _ in range(IMAGES)]
        self.folder = folder
        folder.mkdir()
        dims = form if channels > 1 else form[1:]
        for split in "train", "t10k":
            (folder / f"{split}-images-idx3-ubyte").write_bytes(
                struct.pack(f">{2 + len(dims)}i", 2048 + 1 + len(dims), IMAGES, *dims) + b"".join(self.images))
            (folder / f"{split}-labels-idx1-ubyte").write_bytes(
                struct.pack(">2i", 2049, IMAGES) + bytes(i % classes for i in range(IMAGES)))
        self.bytes = folder / "images"
        self.bytes.write_bytes(b"".join(self.images))
        self.pngs = []
        for i, image in enumerate(self.images):
            self.pngs.append(folder / f"{i}.png")
            self.pngs[-1].write_bytes(png(*form, image))
