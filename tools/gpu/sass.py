"""Machine code as nvdisasm -gi -c prints it: which function of the source each instruction is of,
and the loops."""

import re
from collections import Counter, namedtuple

CLASSES = {"FFMA": r"FFMA", "FADD, FMUL": r"F(ADD|MUL)\b", "LDS": r"LDS", "STS": r"STS", "LDG": r"LDG",
           "STG": r"STG", "constant": r"U?LDC", "shuffle": r"SHFL", "barrier": r"(BAR|UCGABAR|BSYNC|BSSY|WARPSYNC)",
           "branch": r"(BRA|BRX|EXIT|RET|CALL|JMP)",
           "integer": r"U?(IADD|IMAD|LEA|LOP|SHF|ISETP|IABS|VIADD|IMNMX|VIMNMX|PRMT|SEL|MOV|I2F|F2I)"}
# Functions that only lead to a stage's work.
NOT_RUN = {"dropout.h", "philox.h"}  # without a dropout in the model
WALK = re.compile(r"sample_pass_kernel|\w+_segment|resume_\w+|(forward|backward)(_\w+)?|with_\w+|operator\W*|\?")

Instruction = namedtuple("Instruction", "opcode target chain")  # chain: (file, line), innermost last


class Sources:
    """The functions of source files: those whose definitions begin at the left margin."""

    def __init__(self, folder):
        self.lines = {path.name: path.read_text().splitlines() for path in folder.iterdir()
                      if path.suffix in (".h", ".cu")}
        self.found = {name: list(self._functions(lines)) for name, lines in self.lines.items()}

    @staticmethod
    def _functions(lines):
        first, head = None, ""
        for number, line in enumerate(lines, 1):
            if first is None and re.match(r"template|__device__|__global__", line):
                first, head = number, ""
            if first is None:
                continue
            if "{" not in head:
                head += line + " "
            if line == "}" or line.endswith(";") and not line.startswith(" "):
                plain = re.sub(r"template <.*?> (?=\S*__|inline)|__launch_bounds__\([^)]*\)", "", head)
                name = re.search(r"(\w+)\(", plain)
                yield first, number, name.group(1) if name else "?"
                first = None

    def function(self, place):
        name, line = place
        return next((each for first, last, each in self.found.get(name, ()) if first <= line <= last),
                    "?")

    def text(self, place):
        name, line = place  # code at a file's end may be said to stand behind its last line
        return "".join(self.lines.get(name, [])[line - 1:line])


def parse(text):
    """{mangled name: [Instruction]}; a target is an index."""
    kernels, labels = {}, {}
    chain, pending, code = (), [], None
    for line in text.splitlines():
        if line.startswith(".text."):
            code, labels = [], {}
            kernels[line[len(".text."):-1]] = (code, labels)
        elif match := re.match(r'\s+//## File "(?:[^"]*/)?([^"]+)", line (\d+)( inlined at)?', line):
            pending.append((match.group(1), int(match.group(2))))
            if not match.group(3):
                chain, pending = tuple(reversed(pending)), []
        elif match := re.match(r"\s+/\*[0-9a-f]+\*/\s+(?:@!?U?P\w+\s+)?([A-Z]\w+)\S*(.*);", line):
            target = re.search(r"\((\.L_x_\d+)\)", match.group(2))
            code.append(Instruction(match.group(1), target and target.group(1), chain))
        elif match := re.match(r"(\.L_x_\d+):", line):
            labels[match.group(1)] = len(code)
    return {name: [each._replace(target=labels.get(each.target)) for each in code]
            for name, (code, labels) in kernels.items()}


def count_classes(code):
    counts = Counter()
    for each in code:
        counts[next((name for name, pattern in CLASSES.items() if re.match(pattern, each.opcode)),
                    "other")] += 1
    return counts


class Loop:
    """A loop of a stage's function: what it has outside the loops in it, and these."""

    def __init__(self, first, last):
        self.first, self.last, self.inner = first, last, []
        self.own = Counter()        # opcodes
        self.functions = Counter()  # how many of them are of which function

    @property
    def size(self):
        return sum(self.own.values())

    def leaves(self):
        return [leaf for loop in self.inner for leaf in loop.leaves()] if self.inner else [self]

    def path(self, leaf):
        """The loops from this one down to `leaf`."""
        if leaf is self:
            return [self]
        return next(([self, *below] for below in (loop.path(leaf) for loop in self.inner) if below), [])


def stage_of(instruction, sources):
    """The function whose work it is, and the template arguments on the way to it."""
    names = []
    for place in instruction.chain:
        names += re.findall(r"Constant<(\d+)>", sources.text(place))
        function = sources.function(place)
        if not WALK.fullmatch(function):
            return function, tuple(map(int, names))
    return "?", ()


def stages(code, sources):
    """{(function, template arguments): [outermost loops]} of one kernel, without what dropout does."""
    keys = [stage_of(each, sources) for each in code]
    spans = sorted({(each.target, at) for at, each in enumerate(code)
                    if each.opcode == "BRA" and each.target is not None and each.target < at},
                   key=lambda span: (span[0], -span[1]))
    found, nests = {}, {}
    for first, last in spans:
        key, share = Counter(keys[first:last + 1]).most_common(1)[0]
        if 2 * share < last + 1 - first:
            continue  # a loop around stages
        loop = Loop(first, last)
        above = [each for each in nests.get(key, []) if each.last >= last]
        (above[-1].inner if above else found.setdefault(key, [])).append(loop)
        nests[key] = [*above, loop]
        for each, of in zip(code[first:last + 1], keys[first:last + 1]):
            if of != key or any(name in NOT_RUN for name, _ in each.chain):
                continue
            function = sources.function(each.chain[-1])
            loop.own[each.opcode] += 1
            loop.functions[function] += 1
            if above:
                above[-1].own[each.opcode] -= 1
                above[-1].functions[function] -= 1
    return found
