"""The work of a sample pass, phase by phase as `bench --breakdown` names them, from the program that
describe_program prints: how many items a block has, and what an item is."""

from dataclasses import dataclass, field

WARP = 32


@dataclass
class Work:
    """Items that the threads of a block take in turn, by one device function."""

    function: str
    items: int
    arguments: tuple = ()  # of the template
    products: int = 0      # multiply-adds of an item
    trips: tuple = ()      # of the loops between that over items and the innermost one
    sums: int = 0          # trips of the loops that add up slices
    shared: bool = True    # a linear layer's weights are in shared memory
    samples: int = 1       # of a group, that an item of a linear layer is for


@dataclass
class Phase:
    name: str
    products: int = 0      # useful multiply-adds of one sample
    works: list = field(default_factory=list)
    meets: bool = False    # the parts of a group meet at its end
    l2_bytes: int = 0      # that a block reads of the weights while it computes
    latency: str = ""      # what it waits for beside its own instructions


def divide_up(a, b):
    return -(-a // b)


class Pass:
    """What the blocks of a sample pass do."""

    def __init__(self, program):
        self.program = program
        self.parts, self.threads = program["parts"], program["threads"]
        self.samples, self.ops = program["samples"], program["ops"]
        self.groups = divide_up(program["batch"], self.samples)

    def share(self, count, split):
        """The most that a part has of `count`."""
        return divide_up(count, self.parts) if split else count

    def rows(self, op):
        """Floats of weights that a block uses of a linear layer."""
        return self.share(op["out_channels"], op["split"]) * op["inputs"]

    def async_bytes(self):
        """Of weights that a block copies to shared memory while it works."""
        return sum(4 * self.rows(op) for op in self.ops
                   if op["kind"] == "linear" and op["shared_weights"])

    def first_use_of_copies(self):
        """The first op that reads such weights; none: the count of ops."""
        return next((i for i, op in enumerate(self.ops)
                     if op["kind"] == "linear" and op["shared_weights"]), len(self.ops))

    def phases(self):
        yield Phase("gather", works=[Work("gather_samples", self.samples * self.program["image_plane"])],
                    latency="gather")
        yield Phase("weights", meets=True, latency="weights")
        for op in self.ops:
            yield from self.forward(op)
        yield Phase("loss", latency="loss")
        for i in reversed(range(len(self.ops))):
            if not self.ops[i]["backward"]:
                break
            yield from self.backward(i)
        first = self.ops[0]  # of the other convolutions they run beside the phase behind
        yield Phase("end", works=self.sums_of(first) if first["kind"] == "conv" else [])

    def linear(self, op, function, **more):
        width = 4 if op["shared_weights"] or op["inputs"] % 4 == 0 else 1
        return width, dict(function=function, arguments=(width,), shared=bool(op["shared_weights"]),
                           samples=self.samples, **more)

    def forward(self, op):
        name = op["name"]
        if op["kind"] == "linear":
            warps = self.threads // WARP
            outputs = self.share(op["out_channels"], op["split"])
            busy = sum(min(warps, outputs - first) for first in range(0, outputs, 4 * warps))
            width, work = self.linear(op, "linear_forward", items=WARP * busy)
            rounds = divide_up(op["inputs"], WARP * width)
            work["products"] = 4 * self.samples * width * rounds
            yield Phase(name + ", forward", op["inputs"] * op["out_channels"], [Work(**work)],
                        bool(op["split"]), 0 if op["shared_weights"] else 4 * self.rows(op), "linear")
            return
        if op["kind"] == "conv":
            channels, kernel = self.share(op["out_channels"], True), op["kernel"]
            depth = divide_up(op["channels"], op["z_slices"])
            yield Phase(name + ", forward", self.conv_products(op), [
                Work("conv_forward",
                     channels * op["z_slices"] * op["z_height"] * op["forward_tiles"],
                     (kernel, op["forward_width"]),
                     depth * kernel * kernel * op["forward_width"], (depth,))])
            name += " activation"
        channels = self.share(op["out_channels"], op["split"])
        yield Phase(name + ", forward", works=[
            Work("activation_forward", self.samples * channels * op["y_plane"],
                 trips=(op["window"] ** 2 - 1,), sums=op["z_slices"] - 1)], meets=bool(op["split"]))

    @staticmethod
    def conv_products(op):
        return (op["out_channels"] * op["channels"] * op["kernel"] ** 2 * op["z_height"] *
                op["z_width"])

    def backward(self, i):
        op, name = self.ops[i], self.ops[i]["name"]
        if op["kind"] == "conv":
            yield from self.backward_conv(i)
        elif op["kind"] == "linear":
            yield Phase(name + " delta, backward",
                        works=[Work("delta", self.samples * op["out_channels"],
                                    sums=op["dy_slices"] - 1)])
            if op["input_grad"]:
                yield self.linear_input(i)
        else:
            channels = self.share(op["channels"], op["own_dz"])
            yield Phase(name + ", backward", works=[
                Work("activation_backward", self.samples * channels * op["inputs"] // op["channels"],
                     sums=op["dy_slices"] - 1)])

    def linear_input(self, i):
        op, slices = self.ops[i], self.ops[i - 1]["dy_slices"]
        width, work = self.linear(op, "linear_input", items=0)
        work["items"] = self.share(slices, op["split"]) * op["inputs"] // width
        work["products"] = divide_up(op["out_channels"], slices) * width * self.samples
        return Phase(op["name"] + ", backward", op["inputs"] * op["out_channels"], [Work(**work)],
                     bool(op["split"]), 0 if op["shared_weights"] else 4 * self.rows(op))

    def backward_conv(self, i):
        op, kernel = self.ops[i], self.ops[i]["kernel"]
        channels = self.share(op["out_channels"], True)
        deltas = self.share(op["out_channels"], op["own_dz"])
        works = [Work("conv_delta", deltas * op["outputs"] // op["out_channels"],
                      trips=(op["window"],), sums=op["dy_slices"] - 1)]
        if op["dz_plane"] != op["outputs"] // op["out_channels"] * op["window"] ** 2:
            works.append(Work("conv_delta border", deltas * op["dz_plane"]))
        behind = self.ops[i + 1] if i + 1 < len(self.ops) else None
        if behind and behind["kind"] == "conv":
            works += self.sums_of(behind)
        yield Phase(op["name"] + " delta, backward", works=works, meets=bool(op["exchange_dz"]))
        works, products = [], self.conv_products(op)
        if op["input_grad"]:
            slices = self.ops[i - 1]["dy_slices"]
            depth = divide_up(op["out_channels"], slices)
            works.append(Work("conv_input", self.share(op["channels"], True) * slices *
                              op["z_height"] * op["input_tiles"], (kernel, op["input_width"]),
                              depth * kernel * kernel * op["input_width"],
                              (divide_up(op["height"] + op["pad"], op["z_height"]), depth)))
        units = divide_up(op["z_height"] * op["weight_tiles"], op["dw_slices"])
        works.append(Work("conv_weights", channels * op["dw_slices"] * op["channels"] * kernel,
                          (kernel, op["weight_width"]), units * op["weight_width"] * kernel))
        works.append(Work("conv_bias", WARP * channels, sums=divide_up(op["dz_plane"], WARP)))
        yield Phase(op["name"] + ", backward", products * (2 if op["input_grad"] else 1), works)

    def sums_of(self, op):
        if op["dw_slices"] == 1:
            return []
        weights = op["channels"] * op["kernel"] ** 2
        return [Work("conv_weights_sum", self.share(op["out_channels"], True) * weights,
                     sums=op["dw_slices"] - 1)]
