"""Evaluate a model that `lnn` has trained, with numpy alone.

    from lnn_model import load

    model = load("model-lnn.safetensors")
    q_ddot = model.acceleration(q, q_dot)          # [rows, d], or [d] for one state
    energy = model.energy(q, q_dot)                # [rows]

Lagrangian and deep Lagrangian networks, in double precision, many states at once. The formulas are those of the program:
the derivatives of the network's Lagrangian by forward tangents and one reverse sweep, the acceleration from the
Euler–Lagrange equation by the pseudoinverse of the mass matrix. The file's format: docs/model-format.md.

Needs numpy and safetensors. This file may be copied into any project.
"""

import json
import math
import pathlib
import re
import zlib

import numpy as np
from safetensors import safe_open

FORMAT = 1


class ModelError(Exception):
    """A file that is no model or is damaged, or a model of a kind that has no Lagrangian."""


def load(path):
    """The model in a file; its checksum, if it has one, and its tensors are checked."""
    with safe_open(path, framework="numpy") as file:
        text = (file.metadata() or {}).get("lnn.model")
        if text is None:
            raise ModelError(f"{path} has no record `lnn.model` in its metadata: it is no model of a system")
        tensors = {name: file.get_tensor(name).astype(np.float64) for name in file.keys()}
    envelope = parse_ron(text)
    if envelope["format"] != FORMAT:
        raise ModelError(f"{path} is of format {envelope['format']}, but this reader knows format {FORMAT}")
    if envelope.get("checksum") not in (None, checksum(path)):
        raise ModelError(f"{path} is damaged: its contents do not match its checksum; copy or write it again")
    record = envelope["record"]
    kind = record["kind"][0] if isinstance(record["kind"], tuple) else record["kind"]
    kinds = {"Lnn": LagrangianNetwork, "Delan": DeepLagrangianNetwork}
    if kind not in kinds:
        raise ModelError(f"{path} is of kind {kind}; this reader evaluates {' and '.join(kinds)}")
    try:
        model = kinds[kind](record, tensors)
    except ModelError as error:
        raise ModelError(f"{path} cannot be used: {error}") from None
    if tensors:
        raise ModelError(f"{path} cannot be used: a model of this kind has no tensor `{min(tensors)}`")
    return model


def checksum(path):
    """The CRC-32 of the whole file with the digits of its checksum as zeros, as the record writes it."""
    content = pathlib.Path(path).read_bytes()
    content = re.sub(rb'(checksum:\\"crc32:)[0-9a-f]{8}', rb"\g<1>00000000", content, count=1)
    return f"crc32:{zlib.crc32(content):08x}"


# --- features


class Features:
    """x(q, q̇, c) with its slopes: every feature depends on one number of the state."""

    def __init__(self, record):
        config = record.get("features", {})
        d, c = record["degrees_of_freedom"], record.get("conditionals", 0)
        alike = {name: config[name] for name in ("angles", "position_scale", "velocity_scale") if name in config}
        self.each = config.get("coordinates") or [alike] * d
        self.conditionals = config.get("conditionals") or [{"scale": config.get("conditional_scale", 1.0)}] * c
        self.velocity_scales = np.array([one.get("velocity_scale", 1.0) for one in self.each])
        angles = [one.get("angles", "Identity") for one in self.each]
        self.circular = [j for j in range(d) if angles[j] == "SinCos"]
        self.other = [j for j in range(d) if angles[j] != "SinCos"]
        self.wrapped = [angles[j] == "Wrap" for j in self.other]
        self.scales = np.array([self.each[j].get("position_scale", 1.0) for j in self.other])
        self.centres = np.array([self.each[j].get("position_centre", 0.0) for j in self.other])
        # The coordinate that each feature of the configuration depends on.
        self.coordinate = self.circular + self.circular + self.other
        self.positions = len(self.coordinate)

    def of(self, q, q_dot, conditionals, with_velocities=True):
        """Features `[rows, n]` and their slopes; velocities come between the configuration and the conditionals."""
        angle, other = q[:, self.circular], q[:, self.other]
        wrapped = np.mod(other + np.pi, 2 * np.pi) - np.pi
        other = (np.where(self.wrapped, wrapped, other) - self.centres) / self.scales
        values = [np.sin(angle), np.cos(angle), other]
        slopes = [np.cos(angle), -np.sin(angle), np.broadcast_to(1 / self.scales, other.shape)]
        if with_velocities:
            values.append(q_dot / self.velocity_scales)
            slopes.append(np.broadcast_to(1 / self.velocity_scales, q_dot.shape))
        for j, one in enumerate(self.conditionals):
            values.append((conditionals[:, j : j + 1] - one.get("centre", 0.0)) / one["scale"])
            slopes.append(np.zeros_like(values[-1]))
        return np.concatenate(values, 1), np.concatenate(slopes, 1)

    def along(self, slope, direction):
        """The change of the features where q changes along `direction` `[rows, d]`."""
        tangent = np.zeros_like(slope)
        tangent[:, : self.positions] = slope[:, : self.positions] * direction[:, self.coordinate]
        return tangent

    def along_velocity(self, slope, j):
        """The change of the features where q̇_j changes."""
        tangent = np.zeros_like(slope)
        tangent[:, self.positions + j] = slope[:, self.positions + j]
        return tangent

    def pull_back(self, slope, bar):
        """Derivatives by q and by q̇ from those by the features."""
        bar, d = bar * slope, len(self.each)
        by_q = np.zeros((len(bar), d))
        for k, j in enumerate(self.coordinate):
            by_q[:, j] += bar[:, k]
        return by_q, bar[:, self.positions : self.positions + d]


# --- the network and its derivatives


def logistic(z):
    """1 / (1 + e⁻ᶻ) and its complement, neither by a difference that cancels."""
    e = np.exp(-np.abs(z))
    large, small = 1 / (1 + e), e / (1 + e)
    return np.where(z < 0, small, large), np.where(z < 0, large, small)


def softplus(z):
    s, complement = logistic(z)
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))), s, s * complement


def sigmoid(z):
    s, complement = logistic(z)
    return s, s * complement, s * complement * (complement - s)


def silu(z):
    s, complement = logistic(z)
    p = s * complement
    return z * s, s + z * p, 2 * p + z * p * (complement - s)


def tanh(z):
    t, s, complement = np.tanh(z), *logistic(2 * z)
    slope = 4 * s * complement
    return t, slope, -2 * t * slope


def gelu(z):
    cumulative = 0.5 * np.vectorize(math.erfc, otypes=[float])(-z / math.sqrt(2))
    density = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    return z * cumulative, cumulative + z * density, density * (2 - z * z)


def relu2(z):
    z = np.maximum(z, 0)
    return z * z, 2 * z, 2.0 * (z > 0)


def relu3(z):
    z = np.maximum(z, 0)
    return z**3, 3 * z * z, 6 * z


ACTIVATIONS = {f.__name__: f for f in (softplus, tanh, sigmoid, gelu, silu, relu2, relu3)}


class Jet:
    """A network's outputs at some inputs, with tangents; reverse sweeps and second derivatives follow."""

    def __init__(self, network, x, tangents=()):
        self.layers, activation = network
        self.first, self.second, self.tangents = [], [], []
        for number, (weight, bias) in enumerate(self.layers):
            x, tangents = x @ weight.T + bias, [tangent @ weight.T for tangent in tangents]
            if number + 1 < len(self.layers):
                self.tangents.append(tangents)
                x, first, second = activation(x)
                self.first.append(first)
                self.second.append(second)
                tangents = [first * tangent for tangent in tangents]
        self.output, self.output_tangents = x, tangents

    def reverse(self, bar):
        """Derivatives of Σ bar·outputs by the inputs; those by the activations are kept for `hessian`."""
        self.bars = []
        for number in range(len(self.layers) - 1, 0, -1):
            bar = bar @ self.layers[number][0]
            self.bars.insert(0, bar)
            bar = bar * self.first[number - 1]
        return bar @ self.layers[0][0]

    def hessian(self, i, j):
        """The second derivative of the last `reverse` along tangents i and j."""
        layers = zip(self.bars, self.second, self.tangents)
        return sum(np.sum(bar * second * tangents[i] * tangents[j], 1) for bar, second, tangents in layers)


def network(tensors, prefix, activation, inputs, outputs):
    """The layers of a network from `inputs` to `outputs`, taken out of `tensors`."""
    layers, width = [], inputs
    while not layers or f"{prefix}layers.{len(layers)}.weight" in tensors:
        name = f"{prefix}layers.{len(layers)}"
        for part in ("weight", "bias"):
            if f"{name}.{part}" not in tensors:
                raise ModelError(f"the tensor `{name}.{part}` is missing")
        weight, bias = tensors.pop(f"{name}.weight"), tensors.pop(f"{name}.bias")
        if weight.ndim != 2 or weight.shape[1] != width or bias.shape != weight.shape[:1]:
            raise ModelError(
                f"`{name}` has a weight {list(weight.shape)} and a bias {list(bias.shape)}, expected [out, {width}] and [out]"
            )
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise ModelError(f"`{name}` has a number that is not finite")
        layers.append((weight, bias))
        width = len(bias)
    if width != outputs:
        raise ModelError(f"the network of `{name}` has {width} output(s), expected {outputs}")
    return layers, ACTIVATIONS[activation]


# --- models


class Model:
    """A learned Lagrangian. `record` is what the file says of it, as parsed."""

    def __init__(self, record, tensors):
        self.record = record
        self.degrees_of_freedom = record["degrees_of_freedom"]
        self.settings = record["kind"][1]
        self.features = Features(record)
        activation, c = record["activation"], len(self.features.conditionals)
        configuration = self.features.positions + c
        velocities, outputs = self.sizes(self.degrees_of_freedom)
        self.main = network(tensors, "", activation, configuration + velocities, outputs)
        if self.settings.get("potential_scale") is not None:
            self.second = network(tensors, "potential.", activation, configuration, 1)

    def acceleration(self, q, q_dot, conditionals=None):
        """q̈ `[rows, d]` of states q, q̇ `[rows, d]` with conditionals `[rows, c]`; or all without rows."""
        return self._each(0, q, q_dot, conditionals)

    def energy(self, q, q_dot, conditionals=None):
        """q̇·∂L/∂q̇ − L, `[rows]`."""
        return self._each(1, q, q_dot, conditionals)

    def momentum(self, q, q_dot, conditionals=None):
        """∂L/∂q̇, `[rows, d]`."""
        return self._each(2, q, q_dot, conditionals)

    def mass_matrix(self, q, q_dot, conditionals=None):
        """∂²L/∂q̇∂q̇ᵀ, `[rows, d, d]`."""
        return self._each(3, q, q_dot, conditionals)

    def _each(self, part, q, q_dot, conditionals):
        q, q_dot = np.asarray(q, np.float64), np.asarray(q_dot, np.float64)
        d, c = self.degrees_of_freedom, len(self.features.conditionals)
        rows = np.atleast_2d(q)
        given = np.zeros(q.shape[:-1] + (0,)) if conditionals is None else np.asarray(conditionals, np.float64)
        given = np.atleast_2d(given)
        if q.shape != q_dot.shape or rows.shape[1:] != (d,) or given.shape != (len(rows), c):
            raise ModelError(
                f"the model takes q and q_dot [rows, {d}] and conditionals [rows, {c}]; given were {q.shape}, "
                f"{q_dot.shape} and {given.shape}"
            )
        result = self.evaluate(rows, np.atleast_2d(q_dot), given)[part]
        return result if q.ndim == 2 else result[0]

    def potential(self, q, conditionals):
        """s · net₂ and its derivative by q; zero without such a network."""
        scale = self.settings.get("potential_scale")
        if scale is None:
            return np.zeros(len(q)), np.zeros_like(q)
        x, slope = self.features.of(q, None, conditionals, with_velocities=False)
        jet = Jet(self.second, x)
        bar = jet.reverse(np.ones((len(q), 1))) * slope
        gradient = np.zeros_like(q)
        for k, j in enumerate(self.features.coordinate):
            gradient[:, j] += bar[:, k]
        return scale * jet.output[:, 0], scale * gradient


class LagrangianNetwork(Model):
    """L = ½ m Σ (q̇ⱼ/uⱼ)² + net(features) [+ s · net₂(features without velocities)]."""

    def sizes(self, d):
        """Velocities that the main network sees, and its outputs."""
        return d, 1

    def evaluate(self, q, q_dot, conditionals):
        d, features = self.degrees_of_freedom, self.features
        x, slope = features.of(q, q_dot, conditionals)
        # The d velocities, and the motion itself: (q̇, 0).
        tangents = [features.along_velocity(slope, j) for j in range(d)] + [features.along(slope, q_dot)]
        jet = Jet(self.main, x, tangents)
        by_q, momentum = features.pull_back(slope, jet.reverse(np.ones((len(q), 1))))
        matrix = np.stack([np.stack([jet.hessian(i, j) for j in range(d)], 1) for i in range(d)], 1)
        mixed = np.stack([jet.hessian(i, d) for i in range(d)], 1)
        units = features.velocity_scales if self.settings.get("scaled_velocities", False) else np.ones(d)
        mass = self.settings["residual_mass"] / units**2
        matrix = matrix + np.diag(mass)
        momentum = momentum + mass * q_dot
        value, gradient = self.potential(q, conditionals)
        lagrangian = jet.output[:, 0] + 0.5 * np.sum(mass * q_dot**2, 1) + value
        force = by_q + gradient - mixed
        tolerance = self.settings.get("pseudoinverse_tolerance", 1e-6)
        scaled = solve(matrix * units[:, None] * units, force * units, tolerance)
        return units * scaled, np.sum(q_dot * momentum, 1) - lagrangian, momentum, matrix


class DeepLagrangianNetwork(Model):
    """L = ½ q̇ᵀ M(q) q̇ − s · net₂(q) with M = C Cᵀ + ε I and C = b I + net(q), lower triangular."""

    def sizes(self, d):
        return 0, d * (d + 1) // 2

    def evaluate(self, q, q_dot, conditionals):
        d, features = self.degrees_of_freedom, self.features
        x, slope = features.of(q, None, conditionals, with_velocities=False)
        jet = Jet(self.main, x, [features.along(slope, q_dot)])
        entries = np.tril_indices(d)
        triangle, change = np.zeros((len(q), d, d)), np.zeros((len(q), d, d))
        triangle[:, entries[0], entries[1]] = jet.output
        triangle += self.settings["diagonal"] * np.eye(d)
        change[:, entries[0], entries[1]] = jet.output_tangents[0]
        times = lambda matrix, vector: np.einsum("rij,rj->ri", matrix, vector)
        transposed = lambda matrix, vector: np.einsum("rji,rj->ri", matrix, vector)
        y = transposed(triangle, q_dot)
        bar = jet.reverse(q_dot[:, entries[0]] * y[:, entries[1]]) * slope
        kinetic = np.zeros_like(q)
        for k, j in enumerate(features.coordinate):
            kinetic[:, j] += bar[:, k]
        value, gradient = self.potential(q, conditionals)
        force = kinetic - times(change, y) - times(triangle, transposed(change, q_dot)) - gradient
        matrix = triangle @ np.swapaxes(triangle, 1, 2) + self.settings["regularisation"] * np.eye(d)
        momentum = times(matrix, q_dot)
        return solve(matrix, force, 0.0), 0.5 * np.sum(q_dot * momentum, 1) + value, momentum, matrix


def solve(matrix, force, tolerance):
    """H⁺ r; eigenvalues at most `tolerance` times the largest, in magnitude, count as zero."""
    values, vectors = np.linalg.eigh(matrix)
    size = np.abs(values)
    counts = size > tolerance * size.max(1, keepdims=True)
    inverse = np.where(counts, 1 / np.where(counts, values, 1), 0)
    return np.einsum("rij,rj,rkj,rk->ri", vectors, inverse, vectors, force)


# --- RON, as far as the records use it

TOKEN = re.compile(
    r"""(?:\s|//[^\n]*|/\*.*?\*/)*(?:
        (?P<punctuation>[()\[\]{}:,]) | (?P<text>"(?:[^"\\]|\\.)*")
        | (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?) | (?P<name>[A-Za-z_]\w*) | (?P<end>\Z))""",
    re.VERBOSE | re.DOTALL,
)


def parse_ron(text):
    """RON as Python: structs and maps are dicts, a variant with fields is (name, fields), one without is its name."""
    tokens, place = [], 0
    while not tokens or tokens[-1][0] != "end":
        match = TOKEN.match(text, place)
        if match is None:
            raise ModelError(f"the record cannot be read at `{text[place : place + 30]}`")
        tokens.append((match.lastgroup, match.group(match.lastgroup)))
        place = match.end()
    tokens.reverse()
    value = parse_value(tokens)
    if tokens[-1][0] != "end":
        raise ModelError(f"the record goes on after its end: `{tokens[-1][1]}`")
    return value


def parse_value(tokens):
    group, token = tokens.pop()
    if group == "text":
        return json.loads(re.sub(r"\\u\{(\w+)\}", lambda match: chr(int(match[1], 16)), token))
    if group == "number":
        return float(token) if re.search(r"[.eE]", token) else int(token)
    if group == "name":
        fields = parse_value(tokens) if tokens[-1][1] == "(" else None
        if token in ("true", "false"):
            return token == "true"
        if token == "Some":
            return fields[0]
        if token == "None":
            return None
        return token if fields is None else (token, fields)
    if token in ("(", "{", "["):
        return parse_entries(tokens, {"(": ")", "{": "}", "[": "]"}[token])
    raise ModelError(f"the record has `{token}` where a value belongs")


def parse_entries(tokens, end):
    values, named = [], {}
    while tokens[-1][1] != end:
        value = parse_value(tokens)
        if tokens[-1][1] == ":":
            tokens.pop()
            named[value] = parse_value(tokens)
        else:
            values.append(value)
        if tokens[-1][1] == ",":
            tokens.pop()
        elif tokens[-1][1] != end:
            raise ModelError(f"the record has `{tokens[-1][1]}` where `,` or `{end}` belongs")
    tokens.pop()
    return named if named or (not values and end != "]") else values
