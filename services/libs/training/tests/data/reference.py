"""Writes reference.json: losses, gradients and trained weights of small networks, computed by PyTorch in 64 bits.

    python reference.py > reference.json

Needs torch 2.13 and numpy (tests/conformance/torch_environment.sh makes an environment with them). The networks
are those of tests/support/networks.rs: the same stored tensors in the same order, filled by the same formula. Of
each tensor two numbers are kept: its length, and its projection on a fixed direction.
"""

import json
import os
import re
import sys

import numpy as np

sys.setdlopenflags(os.RTLD_LAZY)
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

torch.set_default_dtype(torch.float64)


def wave(shape, salt, height):
    count = int(np.prod(shape))
    values = (np.sin(np.arange(count, dtype=np.float64) * 0.731 + salt) * height).astype(np.float32)
    return values.reshape(shape)


def fingerprint(tensor):
    values = tensor.detach().numpy().astype(np.float64).ravel()
    direction = np.cos(np.arange(values.size) * 1.37 + 0.2)
    return [float(np.sqrt(values @ values)), float(values @ direction)]


class Net:
    """Stored tensors by name, and the layers that read them."""

    def __init__(self):
        self.tensors, self.buffers = {}, {}
        self.made = False
        self.trains = False

    def stored(self, name, shape, height, around=0.0, trained=True):
        if not self.made:
            count = len(self.tensors) + len(self.buffers) + 1
            values = wave(shape, float(count), height) + np.float32(around)
            place = self.tensors if trained else self.buffers
            place[name] = torch.from_numpy(values.astype(np.float64)).requires_grad_(trained)
        return self.tensors[name] if trained else self.buffers[name]

    def conv(self, name, x, made, taken, side, **options):
        height = np.sqrt(2.0 / (taken * side * side)) * 1.4
        kernel = self.stored(f"{name}.weight", (made, taken, side, side), height)
        return F.conv2d(x, kernel, self.stored(f"{name}.bias", (made,), 0.1), **options)

    def same_conv(self, name, x, made, taken, side, stride=1):
        return self.conv(name, x, made, taken, side, padding=side // 2, stride=stride)

    def batch_norm(self, name, x, channels):
        scale = self.stored(f"{name}.weight", (channels,), 0.3, 1.0)
        shift = self.stored(f"{name}.bias", (channels,), 0.2)
        mean = self.stored(f"{name}.running_mean", (channels,), 0.2, 0.0, trained=False)
        variance = self.stored(f"{name}.running_var", (channels,), 0.4, 1.0, trained=False)
        return F.batch_norm(x, mean, variance, scale, shift, self.trains, 0.1, float(np.float32(1e-5)))

    def dense(self, name, x, made, taken):
        height = np.sqrt(2.0 / taken) * 1.4
        matrix = self.stored(f"{name}.weight", (made, taken), height)
        return F.linear(x, matrix, self.stored(f"{name}.bias", (made,), 0.1))


def deepid(net, x):
    x = x.permute(0, 3, 1, 2)
    for name, made, taken, side in [("conv_1", 6, 3, 4), ("conv_2", 8, 6, 3), ("conv_3", 8, 8, 2)]:
        x = F.relu(net.conv(name, x, made, taken, side))
        if name != "conv_3":
            x = F.max_pool2d(x, 2)
    last = F.relu(net.conv("conv_4", x, 5, 8, 2))
    one = net.dense("fc_1", x.flatten(1), 12, 48)
    two = net.dense("fc_2", last.flatten(1), 12, 10)
    return net.dense("output", F.relu(one + two), 7, 12)


def residual(net, x):
    x = F.relu(net.batch_norm("stem_bn", net.same_conv("stem", x, 6, 3, 3), 6))
    for block, taken, given, stride in [("block1", 6, 6, 1), ("block2", 6, 8, 2)]:
        one = net.same_conv(f"{block}.conv1", x, given, taken, 3, stride)
        one = F.relu(net.batch_norm(f"{block}.bn1", one, given))
        two = net.batch_norm(f"{block}.bn2", net.same_conv(f"{block}.conv2", one, given, given, 3), given)
        if stride != 1:
            x = net.batch_norm(f"{block}.short_bn", net.same_conv(f"{block}.short", x, given, taken, 1, stride), given)
        x = F.relu(two + x)
    return net.dense("fc", x.mean((2, 3)), 5, 8)


def vgg(net, x):
    for name, made, taken in [("conv1", 6, 3), ("conv2", 6, 6), ("conv3", 8, 6), ("conv4", 8, 8)]:
        x = F.relu(net.same_conv(name, x, made, taken, 3))
        if name in ("conv2", "conv4"):
            x = F.max_pool2d(x, 2)
    return net.dense("fc2", F.relu(net.dense("fc1", x.flatten(1), 16, 72)), 6, 16)


def mobile(net, x):
    x = F.hardswish(net.conv("stem", F.pad(x, (1, 0, 0, 1)), 8, 3, 3, stride=2))
    x = F.silu(net.conv("depthwise", x, 8, 1, 3, padding=2, dilation=2, groups=8))
    gate = F.leaky_relu(net.same_conv("squeeze", x.mean((2, 3), keepdim=True), 4, 8, 1), float(np.float32(0.1)))
    slope = float(np.float32(1.0 / 6.0))
    x = x * (net.same_conv("excite", gate, 8, 4, 1) * slope + 0.5).clamp(0, 1)
    mean = F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False)
    greatest = F.max_pool2d(x, 3, 2, 1, ceil_mode=True)
    return net.dense("head", torch.cat((mean, greatest), 1).mean((2, 3)), 4, 16)


NETWORKS = {
    "deepid": (deepid, (23, 20, 3), 7),
    "residual": (residual, (3, 10, 10), 5),
    "vgg": (vgg, (3, 12, 12), 6),
    "mobile": (mobile, (3, 9, 11), 4),
}


def images(count, sizes, salt):
    offsets = (np.cos(np.arange(count) * 1.7 + salt) * 0.4).astype(np.float32)
    batch = wave((count, *sizes), salt, 0.5) + offsets.reshape(-1, 1, 1, 1)
    return torch.from_numpy(batch.astype(np.float64))


def labels(count, classes):
    return torch.tensor([index * 3 % classes for index in range(count)])


def fresh(kind):
    forward, sizes, classes = NETWORKS[kind]
    net = Net()
    forward(net, images(2, sizes, 0.3))
    net.made = True
    return net, forward, images(8, sizes, 0.3), labels(8, classes)


def gradients():
    table = {}
    for kind in NETWORKS:
        for trains in (False, True) if kind == "residual" else (False,):
            for smoothing in (0.0, 0.1) if kind == "vgg" else (0.0,):
                net, forward, x, y = fresh(kind)
                net.trains = trains
                loss = F.cross_entropy(forward(net, x), y, label_smoothing=smoothing)
                found = torch.autograd.grad(loss, list(net.tensors.values()))
                title = f"{kind}{' in training' if trains else ''}, smoothing {smoothing}"
                table[title] = {
                    "network": kind,
                    "trains": trains,
                    "smoothing": smoothing,
                    "loss": loss.item(),
                    "gradients": {name: fingerprint(g) for name, g in zip(net.tensors, found)},
                }
    return table


def sam_gradients(net, compute, radius):
    weights = list(net.tensors.values())
    loss = compute()
    found = torch.autograd.grad(loss, weights)
    with torch.no_grad():
        length = torch.sqrt(sum(((w.abs() * g) ** 2).sum() for w, g in zip(weights, found)))
        before = [w.clone() for w in weights]
        for w, g in zip(weights, found):
            w += radius * w**2 * g / length
    above = torch.autograd.grad(compute(), weights)
    with torch.no_grad():
        for w, b in zip(weights, before):
            w.copy_(b)
    return loss, above


def trainings():
    recipes = {
        "sgd": (lambda w: torch.optim.SGD(w, 0.05, momentum=0.9, weight_decay=0.01), None, None),
        "nesterov": (lambda w: torch.optim.SGD(w, 0.05, momentum=0.8, nesterov=True), None, 0.5),
        "adam": (lambda w: torch.optim.Adam(w, 0.01, weight_decay=0.02), None, None),
        "adamw": (lambda w: torch.optim.AdamW(w, 0.01, weight_decay=0.1), None, 1.0),
        "ft_sam": (lambda w: torch.optim.SGD(w, 0.02, momentum=0.9, weight_decay=5e-4), 0.5, None),
    }
    table = {}
    for title, (make, radius, longest) in recipes.items():
        net, forward, x, y = fresh("vgg")
        optimizer = make(list(net.tensors.values()))
        losses = []
        for _ in range(5):
            compute = lambda: F.cross_entropy(forward(net, x), y)  # noqa: E731
            if radius is None:
                loss = compute()
                found = torch.autograd.grad(loss, list(net.tensors.values()))
            else:
                loss, found = sam_gradients(net, compute, radius)
            for weight, gradient in zip(net.tensors.values(), found):
                weight.grad = gradient
            if longest is not None:
                torch.nn.utils.clip_grad_norm_(list(net.tensors.values()), longest)
            optimizer.step()
            losses.append(loss.item())
        table[title] = {"losses": losses, "weights": {name: fingerprint(w) for name, w in net.tensors.items()}}
    return table


def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value


reference = {"torch": torch.__version__.split("+")[0], "gradients": gradients(), "trainings": trainings()}
text = json.dumps(rounded(reference), indent=1)
# Pairs of numbers on one line.
print(re.sub(r"\[\s+([^][]*?)\s+\]", lambda found: "[" + re.sub(r"\s+", " ", found[1]) + "]", text))
