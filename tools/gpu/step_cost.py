"""What a phase costs: instructions of an item, by the machine code or, without it, by arithmetic,
and from them clocks."""

from step_work import WARP, divide_up

# What is assumed and not computed: name -> value, and where it is from.
ASSUMPTIONS = {
    "CLOCK_GHZ": (1.98, "an H100 SXM's boost clock"),
    "SMS": (132, "multiprocessors of an H100 or H200"),
    "SCHEDULERS": (4, "of a multiprocessor; each issues one instruction a clock"),
    "ISSUE_EFFICIENCY": (0.75, "of the issue slots; 0.6 is pessimistic, 0.85 optimistic"),
    "STAGE_CLOCKS": (100, "to fill and drain a phase, its barrier among it"),
    "LINEAR_CLOCKS": (200, "of a dot product's chain: loads, sums, five shuffles"),
    "LOSS_CLOCKS": (500, "ten shuffles, an exponential, a division and a logarithm in a row"),
    "CLUSTER_CLOCKS": (395, "a barrier of a cluster; measured on a B300"),
    "L2_CLOCKS": (300, "a load from L2"),
    "L2_BYTES_PER_CLOCK": (64, "that a multiprocessor gets from L2"),
    "L2_TB_S": (5.5, "that all of them get together"),
    "BOUNDARY_US": (1.0, "from kernel to kernel in a graph, with dependent launch; 1.3 without"),
}
A = {name: value for name, (value, _) in ASSUMPTIONS.items()}

UNROLLED = 4          # as the compiler has loops whose trips it does not know
ROW_OVERHEAD = 8      # without machine code: instructions around a row's products
ITEM_OVERHEAD = 60    #   around an item: addresses, bounds, stores
SLICE_COST = 3        #   of a slice that is added
ADDRESS_COST = 6      #   to address the first one


def matches(leaf, work):
    """Whether a loop has the loads of this form of a linear layer."""
    width, samples = work.arguments[0], work.samples
    rows = 4 if work.function == "linear_forward" else 1
    unroll, rest = divmod(leaf.own["FFMA"], rows * width * samples)
    return unroll > 0 and rest == 0 and \
        leaf.own["LDS"] == unroll * (samples + rows * work.shared) and \
        leaf.own["LDG"] == unroll * rows * (not work.shared)


def product_loops(work, stages):
    """The loops of the item's products, from that over items to the innermost; none: not found."""
    linear = work.function.startswith("linear")
    for (function, arguments), loops in stages.items():
        if function != work.function or not linear and arguments != work.arguments:
            continue
        for loop in loops:
            leaf = max(loop.leaves(), key=lambda each: each.own["FFMA"])
            if leaf.own["FFMA"] and leaf is not loop and (not linear or matches(leaf, work)):
                return loop.path(leaf)
    return []


def by_products(work, path):
    """Instructions of an item whose innermost loop has the products."""
    leaf = path[-1]
    size, products = leaf.size, leaf.own["FFMA"]
    if work.function == "conv_input":
        kernel, width = work.arguments
        row = width + kernel - 1
        unroll = products // (kernel * width)
        if leaf.own["LDS"] > unroll * row:  # both ways to load a row: one is taken
            size -= unroll * row
    total, runs = work.products * size / products, 1
    for level, loop in enumerate(path[:-1]):
        if 0 < level <= len(work.trips):
            runs *= work.trips[level - 1]
        # Products outside the innermost loop are its last trips, counted already.
        total += runs * max(0, loop.size - loop.own["FFMA"] * size / products)
    return total


def by_sums(work, loop):
    """Instructions of an item that adds up slices in loops that the compiler has unrolled, one for
    many slices and one for few, with the last ones behind them."""
    summing = [inner for inner in loop.inner if not inner.inner and inner.own["LDS"]]
    total, left = loop.size, work.sums
    for leaf in sorted(summing, key=lambda each: -each.own["LDS"]):
        total += left // leaf.own["LDS"] * leaf.size
        left %= leaf.own["LDS"]
    if summing:  # of what is behind the loops only so much runs as there is left
        leaf = summing[-1]
        function = leaf.functions.most_common(1)[0][0]
        if function != work.function:
            total -= loop.functions[function]
            total += ADDRESS_COST + (1 + left) * leaf.size / leaf.own["LDS"]
    trips = work.trips[0] if work.trips else 1
    for inner in loop.inner:
        if inner not in summing:
            total += trips * by_sums(work, inner) / (1 if inner.inner else UNROLLED)
    return total


def sum_loop(work, stages):
    name, _, border = work.function.partition(" ")
    loops = stages.get((name, ()), [])
    if len(loops) > 1:
        loops = loops[1:] if border or name == "gather_samples" else loops[:1]
    loop = loops[0] if loops else None
    while loop and loop.size < 20 and loop.inner:  # a loop over samples
        loop = loop.inner[0]
    return loop


def arithmetic(work):
    """Instructions of an item without machine code."""
    if not work.products:
        return ITEM_OVERHEAD + SLICE_COST * (1 + work.sums) * (1 + sum(work.trips))
    if work.function.startswith("linear"):
        width, samples = work.arguments[0], work.samples
        rows = 4 if work.function == "linear_forward" else 1
        row = rows * width * samples
        return ITEM_OVERHEAD + work.products / row * (row + rows + samples + ROW_OVERHEAD / 2)
    kernel, width = work.arguments
    row = kernel * width
    loads = (width + kernel - 1) / 2 + (width / 2 if work.function == "conv_weights" else 2)
    return ITEM_OVERHEAD + work.products / row * (row + loads + ROW_OVERHEAD)


def instructions(work, stages):
    """Of an item; and whether machine code told."""
    if work.products:
        path = product_loops(work, stages)
        if path:
            return by_products(work, path), True
    else:
        loop = sum_loop(work, stages)
        if loop:
            return by_sums(work, loop), True
    return arithmetic(work), False


def microseconds(clocks):
    return clocks / A["CLOCK_GHZ"] / 1000


class PhaseCost:
    def __init__(self, phase, made, stages):
        self.phase, self.thread, slots, self.known = phase, 0, 0, True
        for work in phase.works:
            item, known = instructions(work, stages)
            self.known &= known
            self.thread += divide_up(work.items, made.threads) * item
            slots += divide_up(divide_up(work.items, WARP), A["SCHEDULERS"]) * item
        self.slots = slots
        l2 = max(phase.l2_bytes / A["L2_BYTES_PER_CLOCK"], all_blocks_l2(made, phase.l2_bytes))
        self.clocks = max(slots / A["ISSUE_EFFICIENCY"], l2) + A["STAGE_CLOCKS"]
        self.clocks += self.waits(phase, made)
        if phase.meets and made.parts > 1:
            self.clocks += A["CLUSTER_CLOCKS"]

    @staticmethod
    def waits(phase, made):
        if phase.latency == "linear":
            return A["LINEAR_CLOCKS"]
        if phase.latency == "loss":
            return A["LOSS_CLOCKS"]
        if phase.latency == "gather":
            return 3 * A["L2_CLOCKS"]  # the state, the label and the image one after another
        if phase.latency != "weights":
            return 0
        rounds = sum(divide_up(divide_up(op["channels"] * op["out_channels"] * op["kernel"] ** 2,
                                         made.threads), UNROLLED)
                     for op in made.ops if op["kind"] == "conv")
        return rounds * A["L2_CLOCKS"]


def all_blocks_l2(made, bytes_of_a_block):
    """Clocks in which L2 gives every block its bytes."""
    blocks = min(made.groups * made.parts, A["SMS"])
    return blocks * bytes_of_a_block / (A["L2_TB_S"] * 1000 / A["CLOCK_GHZ"])


def sample_pass(made, stages):
    """The costs of the phases, and the clocks in which asynchronous copies are waited for."""
    costs, elapsed, exposed = [], 0, 0
    copy = max(made.async_bytes() / A["L2_BYTES_PER_CLOCK"], all_blocks_l2(made, made.async_bytes()))
    first = made.first_use_of_copies()
    reader = made.ops[first]["name"] + ", forward" if first < len(made.ops) else None
    for phase in made.phases():
        if phase.name == reader:
            exposed = max(0, copy - elapsed)
        costs.append(PhaseCost(phase, made, stages))
        if phase.name not in ("gather", "weights"):
            elapsed += costs[-1].clocks
    return costs, exposed


def weight_pass_clocks(made, loops):
    """Of the busiest multiprocessor: tiles of 8 outputs by 64 inputs and blocks of 128 sums."""
    tiles = sums = 0
    for op in made.ops:
        if op["kind"] == "linear":
            tiles += divide_up(op["out_channels"], 8) * divide_up(op["inputs"], 64)
            sums += divide_up(op["out_channels"], 128)
        elif op["kind"] == "conv":
            sums += divide_up(op["out_channels"] * op["channels"] * op["kernel"] ** 2, 128) + 1
    blocks = divide_up(tiles + sums + 1, A["SMS"])
    batch = made.program["batch"]
    leaf = max((leaf for loop in loops for leaf in loop.leaves()),
               key=lambda each: each.own["FFMA"], default=None)
    if leaf and leaf.own["FFMA"]:
        sample = leaf.size * 4 / leaf.own["FFMA"]
    else:
        sample = 4 + 2 + 1
    loads = batch * (64 + 8) // 128
    slots = blocks * (batch * sample + loads * 10 + 100)
    return (slots / A["ISSUE_EFFICIENCY"] +
            (divide_up(loads, UNROLLED) + 1) * A["L2_CLOCKS"] + 2 * A["STAGE_CLOCKS"])
