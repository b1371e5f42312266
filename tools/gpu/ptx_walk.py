"""Walks one thread's way through a kernel as nvcc -ptx prints it (PTX ISA 9.0), and counts what it
executes from barrier to barrier. It knows integers exactly and floats as good as Python; of other
threads it knows nothing: what they would have stored reads as zero, and shuffles give a thread its
own value. The sample pass's way does not depend on either."""

import math
import re
import struct
from collections import Counter

# What the machine does not execute as an instruction of its own: operands and copies.
FREE = re.compile(r"mov|ld\.param|cvta|cvt\.(u32\.u64|u64\.u32|s64\.s32|u16\.u32|u32\.u16)|bra\.uni")
DIVISION = 20  # instructions that a division by a number which is not known becomes

SIZES = {kind + str(bits): bits // 8 for kind in "usbf" for bits in (8, 16, 32, 64)}
SHARED, DYNAMIC, PARAMETERS, CONSTANTS = 1 << 24, 1 << 25, 1 << 40, 1 << 41
STRIDE = 1 << 16  # between parameters, and between constants


def to_bits(value):
    try:
        return struct.unpack("<I", struct.pack("<f", value))[0]
    except OverflowError:
        return 0x7F800000


def to_float(bits):
    return struct.unpack("<f", struct.pack("<I", bits & 0xFFFFFFFF))[0]


def signed(value, width):
    value &= (1 << width) - 1
    return value - (1 << width) if value >> (width - 1) else value


def cost(counts):
    """Instructions, from a Counter of opcodes."""
    return sum(count * (DIVISION if re.match(r"(div|rem)\.[su]", opcode) else 1)
               for opcode, count in counts.items() if not FREE.match(opcode))


class Kernel:
    """The instructions of the kernel whose name has `part` in it, and where its labels are."""

    def __init__(self, text, part):
        body = next(body for body in re.split(r"(?=\.entry )", text)
                    if body.startswith(".entry ") and part in body.split("(")[0])
        self.symbols = {}
        for at, match in enumerate(re.finditer(r"\.shared \.align \d+ \.b8 ([^\[]+)\[(\d*)\]", text)):
            self.symbols[match.group(1)] = SHARED + 4096 * at if match.group(2) else DYNAMIC
        self.constants = {}  # {address: bytes}
        for match in re.finditer(r"^\.global \.align \d+ \.b8 (\w+)\[\d+\] = \{([^}]*)\}", text, re.MULTILINE):
            self.symbols[match.group(1)] = CONSTANTS + STRIDE * len(self.constants)
            self.constants[self.symbols[match.group(1)]] = bytes(map(int, match.group(2).split(",")))
        for match in re.finditer(r"(\S+_param_(\d+))\b", body.split("{")[0]):
            self.symbols[match.group(1)] = PARAMETERS + STRIDE * int(match.group(2))
        self.code, self.labels = [], {}
        for line in body[body.index("{"):].splitlines():
            line = line.split("//")[0].strip(" \t{}")
            if match := re.fullmatch(r"(\$\w+):", line):
                self.labels[match.group(1)] = len(self.code)
                continue
            for each in filter(None, map(str.strip, line.split(";"))):
                if match := re.match(r"(@!?%p\d+)?\s*([a-z][\w.:]*)\s*(.*)", each):
                    guard, opcode, operands = match.groups()
                    words = re.findall(r"\{[^}]*\}|\[[^\]]*\]|[^,\s][^,]*", operands)
                    self.code.append((guard, opcode, [word.strip() for word in words]))


class Memory:
    """parameters: the kernel's, as bytes. known: {address: bytes} of global memory; the rest is zero,
    until it is stored to."""

    def __init__(self, parameters, known):
        self.parts = {PARAMETERS + STRIDE * i: data for i, data in enumerate(parameters)}
        self.parts.update(known)
        self.stored = {}

    def load(self, address, size):
        for begin, data in self.parts.items():
            if begin <= address < begin + len(data):
                return int.from_bytes(data[address - begin:address - begin + size], "little")
        return sum(self.stored.get(address + k, 0) << 8 * k for k in range(size))

    def store(self, address, size, value):
        for k in range(size):
            self.stored[address + k] = value >> 8 * k & 255


COMPARE = {"eq": lambda x, y: x == y, "ne": lambda x, y: x != y, "lt": lambda x, y: x < y,
           "le": lambda x, y: x <= y, "gt": lambda x, y: x > y, "ge": lambda x, y: x >= y,
           "lo": lambda x, y: x < y, "ls": lambda x, y: x <= y, "hi": lambda x, y: x > y,
           "hs": lambda x, y: x >= y, "ltu": lambda x, y: not x >= y, "leu": lambda x, y: not x > y,
           "gtu": lambda x, y: not x <= y, "geu": lambda x, y: not x < y,
           "equ": lambda x, y: x == y, "neu": lambda x, y: x != y}
FLOATS = {"add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y,
          "fma": lambda x, y, z: x * y + z, "div": lambda x, y: x / y if y else 0.0,
          "neg": lambda x: -x, "abs": abs, "max": max, "min": min, "sqrt": lambda x: math.sqrt(abs(x)),
          "rcp": lambda x: 1 / x if x else 0.0, "ex2": lambda x: 2.0 ** max(-200, min(100, x)),
          "lg2": lambda x: math.log2(x) if x > 0 else 0.0}
INTEGERS = {"add": lambda x, y: x + y, "sub": lambda x, y: x - y, "and": lambda x, y: x & y,
            "or": lambda x, y: x | y, "xor": lambda x, y: x ^ y, "not": lambda x: ~x,
            "shl": lambda x, y: x << min(y, 64), "shr": lambda x, y: x >> min(y, 64),
            "min": min, "max": max, "neg": lambda x: -x, "abs": abs,
            "div": lambda x, y: int(x / y) if y else 0, "rem": lambda x, y: x - int(x / y) * y if y else 0,
            "clz": lambda x: 32 - x.bit_length(), "popc": lambda x: bin(x).count("1")}


class Thread:
    def __init__(self, kernel, memory, special):
        """special: what the registers %tid.x, %ntid.x and so on hold."""
        self.kernel, self.memory, self.special, self.registers = kernel, memory, special, {}
        memory.parts.update(kernel.constants)

    def value(self, operand):
        if operand.startswith("%"):
            return self.registers.get(operand, self.special.get(operand, 0))
        if operand.startswith("0f"):
            return int(operand[2:], 16)
        if operand in self.kernel.symbols:
            return self.kernel.symbols[operand]
        return int(operand, 0) & (1 << 64) - 1

    def number(self, operand, kind):
        width = 8 * SIZES[kind]
        value = self.value(operand)
        if kind == "f32":
            return to_float(value)
        return signed(value, width) if kind[0] == "s" else value & (1 << width) - 1

    def address(self, operand):
        base, _, offset = operand.strip("[]").partition("+")
        return self.value(base) + int(offset or 0)

    def put(self, register, value, kind):
        self.registers[register] = to_bits(value) if kind == "f32" else value & (1 << 8 * SIZES[kind]) - 1

    def run(self, most=10_000_000):
        """[Counter of opcodes] from barrier to barrier."""
        counts, at = [Counter()], 0
        for _ in range(most):
            guard, opcode, operands = self.kernel.code[at]
            at += 1
            counts[-1][opcode] += 1
            if guard and bool(self.registers.get(guard.lstrip("@!"), 0)) == guard.startswith("@!"):
                continue
            words = opcode.split(".")
            if words[0] == "bra":
                at = self.kernel.labels[operands[0]]
            elif words[0] in ("ret", "exit"):
                return counts
            elif words[0] in ("bar", "barrier"):
                if "arrive" not in words:
                    counts.append(Counter())
            else:
                self.execute(words, operands)
        raise RuntimeError(f"no end after {most} instructions")

    def execute(self, words, operands):
        name, kind = words[0], words[-1]
        if name in ("cp", "griddepcontrol", "membar", "fence"):
            return
        if kind == "pred":
            values = [bool(self.value(each)) for each in operands[1:]]
            self.registers[operands[0]] = {"and": all, "or": any, "mov": all,
                                           "not": lambda v: not v[0],
                                           "xor": lambda v: v[0] != v[1]}[name](values)
        elif name in ("ld", "st"):
            self.move(name, kind, operands)
        elif name in ("cvta", "mapa", "shfl"):
            self.registers[operands[0].split("|")[0]] = self.value(operands[1])
        elif name == "mov":
            self.copy(kind, operands)
        elif name == "cvt":
            self.convert(words[-2], kind, operands, "sat" in words)
        elif name == "setp":
            self.registers[operands[0]] = COMPARE[words[1]](*(self.number(each, kind) for each in operands[1:]))
        elif name == "selp":
            self.registers[operands[0]] = self.value(operands[1 if self.registers.get(operands[3]) else 2])
        elif kind == "f32":
            result = FLOATS[name](*(self.number(each, kind) for each in operands[1:]))
            self.put(operands[0], result if result == result else 0.0, kind)
        elif name in ("mul", "mad"):
            self.multiply(words[1], kind, operands)
        else:
            self.put(operands[0], INTEGERS[name](*(self.number(each, kind) for each in operands[1:])), kind)

    def move(self, name, kind, operands):
        size = SIZES[kind]
        registers = operands[0 if name == "ld" else 1].strip("{}").split(",")
        address = self.address(operands[1 if name == "ld" else 0])
        for i, register in enumerate(map(str.strip, registers)):
            if name == "st":
                self.memory.store(address + i * size, size, self.value(register))
            else:
                value = self.memory.load(address + i * size, size)
                self.registers[register] = signed(value, 8 * size) & (1 << 64) - 1 if kind[0] == "s" else value

    def copy(self, kind, operands):
        to, source = ([each.strip() for each in operand.strip("{}").split(",")] for operand in operands)
        width = 8 * SIZES[kind] // max(len(to), len(source))
        value = sum((self.value(each) & (1 << width) - 1) << width * i for i, each in enumerate(source)) \
            if len(source) > 1 else self.value(source[0])
        for i, register in enumerate(to):
            self.registers[register] = value if len(to) == 1 else value >> width * i & (1 << width) - 1

    def convert(self, to, source, operands, saturate):
        if source == "f64":
            value = struct.unpack("<d", struct.pack("<Q", self.value(operands[1])))[0]
        else:
            value = self.number(operands[1], source)
        if to == "f64":
            self.registers[operands[0]] = struct.unpack("<Q", struct.pack("<d", float(value)))[0]
        elif to == "f32":
            self.put(operands[0], min(1.0, max(0.0, float(value))) if saturate else float(value), to)
        else:
            self.put(operands[0], math.floor(value), to)

    def multiply(self, mode, kind, operands):
        product = self.number(operands[1], kind) * self.number(operands[2], kind)
        width = 8 * SIZES[kind]
        if mode == "hi":
            product >>= width
        if len(operands) > 3:
            product += self.value(operands[3])
        self.registers[operands[0]] = product & (1 << (2 * width if mode == "wide" else width)) - 1
