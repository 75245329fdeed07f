"""Lagrangian networks of the double pendulum and of a lattice in JAX: the program that ours is timed against.

    python jax_peer.py step    --hidden 500 --layers 4 --batch 512  --repeat 10 --threads 2 --recipe recipe.json
    python jax_peer.py rollout --hidden 64  --layers 3 --batch 1    --repeat 50 --threads 2 --recipe recipe.json
    python jax_peer.py lattice --hidden 400 --layers 3 --points 100 --repeat 10 --threads 2 --recipe recipe.json

`step` is one training step, `rollout` is some Runge-Kutta steps of the learned motion in one compiled loop, both of the
double pendulum; `lattice` is one acceleration of a field on a periodic line. The program is what a JAX user writes from
the paper (Cranmer et al. 2020, Appendix A): the Lagrangian of one state, its derivatives by `jax.hessian`, `jax.grad`
and `jax.jacfwd`, `jax.vmap` over the batch or the sites, `jax.jit` around the whole. Numbers are in single precision.

`--device gpu` takes `step` and `rollout`; there a timing of `step` is some steps in one compiled loop too, so that the host
is in nobody's way. `--precision highest` asks for products in single precision, where `default` lets the card round their
factors.

One line of JSON goes to standard output. `benches/peer_work.rs` does the same work from the same recipe, weights
and states, explains the recipe's entries, and prints the same line.
"""

import argparse
import json
import os
import platform
import re
import signal
import sys
import threading
import time
from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np


def uniform(first, count):
    """`count` uniform numbers of (0, 1) from number `first` on, the same as in the other program."""
    mask = 0xFFFFFFFF
    h = np.arange(first + 1, first + 1 + count, dtype=np.uint64) * 0x9E3779B1 & mask
    h ^= h >> 15
    h = h * 0x85EBCA77 & mask
    h ^= h >> 13
    return (h + 0.5) / 2**32


def first_parameters(recipe, sizes):
    """Weights of deviation gain / sqrt(inputs) and zero biases, layer by layer, and how many numbers these are.

    Number k of the list in which each layer's weights [outputs, inputs] come before its biases is made from uniform
    number k. The layers hold their weights as [inputs, outputs].
    """
    first, hidden, output = recipe.gains
    gains = [first] + [hidden] * (len(sizes) - 3) + [output]
    layers, place = [], 0
    for gain, inputs, outputs in zip(gains, sizes[:-1], sizes[1:]):
        scale = gain / np.sqrt(inputs) * np.sqrt(12.0)
        weight = scale * (uniform(place, outputs * inputs) - 0.5)
        weight = weight.reshape(outputs, inputs).T.astype(np.float32)
        layers.append({"weight": jnp.asarray(weight), "bias": jnp.zeros(outputs)})
        place += (inputs + 1) * outputs
    return layers, place


def first_field(recipe, place, points):
    """A field and its rate over the recipe's ranges, [points] each, from uniform number `place` on."""
    low, high = (np.array(bounds)[:, None] for bounds in zip(recipe.field, recipe.field_rate))
    return jnp.asarray((low + (high - low) * uniform(place, 2 * points).reshape(2, points)).astype(np.float32))


def first_states(recipe, place, count):
    """Angles and rates over the recipe's ranges, [count, 4], from uniform number `place` on."""
    unit = uniform(place, 4 * count).reshape(count, 4)
    low, high = (np.repeat(bounds, 2) for bounds in zip(recipe.angle, recipe.velocity))
    return jnp.asarray((low + (high - low) * unit).astype(np.float32))


def network(parameters, inputs):
    """The network's only output."""
    *hidden, output = parameters
    activation = inputs
    for layer in hidden:
        activation = jax.nn.softplus(activation @ layer["weight"] + layer["bias"])
    return (activation @ output["weight"] + output["bias"])[0]


def lagrangian(recipe, parameters, q, q_dot):
    """L = mass |q_dot|^2 / 2 + net(sin q, cos q, q_dot / scale)."""
    inputs = jnp.concatenate([jnp.sin(q), jnp.cos(q), q_dot / recipe.velocity_scale])
    return 0.5 * recipe.residual_mass * jnp.dot(q_dot, q_dot) + network(parameters, inputs)


def field_lagrangian(recipe, parameters, field, rate):
    """L = mass |rate|^2 / 2 + sum of net(field and rate at a site and its neighbours) over a periodic line."""
    neighbourhoods = jnp.stack([jnp.roll(values, shift) for values in (field, rate) for shift in (1, 0, -1)], axis=1)
    densities = jax.vmap(partial(network, parameters))(neighbourhoods)
    return 0.5 * recipe.residual_mass * jnp.dot(rate, rate) + densities.sum()


def acceleration(of_motion, q, q_dot, cutoff):
    """The Euler-Lagrange equation solved for the acceleration by the pseudoinverse of the mass matrix."""
    mass_matrix = jax.hessian(of_motion, argnums=1)(q, q_dot)
    mixed = jax.jacfwd(jax.grad(of_motion, argnums=1), argnums=0)(q, q_dot)
    force = jax.grad(of_motion, argnums=0)(q, q_dot) - mixed @ q_dot
    return jnp.linalg.pinv(mass_matrix, rtol=cutoff) @ force


def pendulum_acceleration(recipe, parameters, state):
    """The double pendulum's learned acceleration."""
    return acceleration(partial(lagrangian, recipe, parameters), state[:2], state[2:], recipe.eigenvalue_cutoff)


def true_acceleration(recipe, state):
    """The double pendulum in closed form."""
    angle_1, angle_2, rate_1, rate_2 = state
    length_1, length_2 = recipe.lengths
    ratio = length_2 / length_1
    share = recipe.masses[1] / sum(recipe.masses)
    sine, cosine = jnp.sin(angle_1 - angle_2), jnp.cos(angle_1 - angle_2)
    # [[1, share ratio c], [c / ratio, 1]] q_ddot = (first, second)
    first = -share * ratio * rate_2**2 * sine - recipe.gravity / length_1 * jnp.sin(angle_1)
    second = rate_1**2 * sine / ratio - recipe.gravity / length_2 * jnp.sin(angle_2)
    determinant = 1 - share * cosine**2
    return jnp.stack([first - share * ratio * cosine * second, second - cosine / ratio * first]) / determinant


def mean_error(recipe, parameters, states):
    """Mean over the batch of the sum of absolute errors of the acceleration."""
    learned = jax.vmap(partial(pendulum_acceleration, recipe, parameters))(states)
    return jnp.abs(learned - jax.vmap(partial(true_acceleration, recipe))(states)).sum(axis=1).mean()


def training_step(recipe, parameters, mean, square, count, states):
    """Targets, loss, gradient and one update by Adam; the four that an update changes, and the loss."""
    beta_1, beta_2 = recipe.beta_1, recipe.beta_2
    loss, gradient = jax.value_and_grad(partial(mean_error, recipe))(parameters, states)
    count = count + 1
    mean = jax.tree.map(lambda old, new: beta_1 * old + (1 - beta_1) * new, mean, gradient)
    square = jax.tree.map(lambda old, new: beta_2 * old + (1 - beta_2) * new**2, square, gradient)
    mean_scale, square_scale = 1 / (1 - beta_1**count), 1 / (1 - beta_2**count)

    def update(parameter, mean, square):
        return parameter - recipe.learning_rate * mean_scale * mean / (jnp.sqrt(square_scale * square) + recipe.epsilon)

    return jax.tree.map(update, parameters, mean, square), mean, square, count, loss


def rollout(recipe, parameters):
    """Some steps of the classical Runge-Kutta method for all states at once, compiled for a trained model.

    The parameters are constants of the compiled program, which is a third faster than passing them with each call.
    """

    def velocity(states):
        accelerations = jax.vmap(partial(pendulum_acceleration, recipe, parameters))(states)
        return jnp.concatenate([states[:, 2:], accelerations], axis=1)

    def step(states, _):
        length = recipe.time_step
        k1 = velocity(states)
        k2 = velocity(states + length / 2 * k1)
        k3 = velocity(states + length / 2 * k2)
        k4 = velocity(states + length * k3)
        return states + length / 6 * (k1 + 2 * k2 + 2 * k3 + k4), None

    return jax.jit(lambda states: jax.lax.scan(step, states, None, length=recipe.steps_a_timing)[0])


def timed(recipe, call, repeat):
    """Seconds of each of `repeat` calls, after some calls to warm up, and the first and the last result.

    `call` takes the last result, at first None.
    """
    seconds, first, last = [], None, None
    for number in range(recipe.warm_up + repeat):
        start = time.perf_counter()
        last = jax.block_until_ready(call(last))
        if number >= recipe.warm_up:
            seconds.append(time.perf_counter() - start)
        first = last if number == 0 else first
    return seconds, first, last


def require_finite(number):
    """Stops the program unless the number is finite."""
    if not np.isfinite(number):
        sys.exit(f"the work ended in {number}: timings of numbers that are not finite mean nothing")


def time_step(recipe, parameters, states, repeat):
    """Seconds of each training step; loss and norm of the gradient in the first one."""
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    start = (parameters, zeros, zeros, jnp.float32(0))
    step = jax.jit(partial(training_step, recipe))
    seconds, first, last = timed(recipe, lambda last: step(*(last or start)[:4], states), repeat)
    require_finite(float(last[4]))
    # After the first step Adam's first average is a part of the gradient.
    squares = [np.square(np.asarray(mean, np.float64)).sum() for mean in jax.tree.leaves(first[1])]
    return seconds, [float(first[4]), float(np.sqrt(sum(squares))) / (1 - recipe.beta_1)]


def time_steps(recipe, parameters, states, repeat):
    """Seconds of each training step, averaged over each loop of some; loss and norm of the gradient in the first one."""

    def one(carried, _):
        *carried, loss = training_step(recipe, *carried, states)
        return tuple(carried), loss

    zeros = jax.tree.map(jnp.zeros_like, parameters)
    start = (parameters, zeros, zeros, jnp.float32(0))
    loop = jax.jit(lambda carried: jax.lax.scan(one, carried, None, length=recipe.steps_a_timing))
    seconds, _, last = timed(recipe, lambda last: loop(last[0] if last else start), repeat)
    require_finite(float(last[1][-1]))
    loss, gradient = jax.jit(jax.value_and_grad(partial(mean_error, recipe)))(parameters, states)
    squares = [np.square(np.asarray(part, np.float64)).sum() for part in jax.tree.leaves(gradient)]
    return [value / recipe.steps_a_timing for value in seconds], [float(loss), float(np.sqrt(sum(squares)))]


def time_rollout(recipe, parameters, states, repeat):
    """Seconds of each Runge-Kutta step, averaged over each call; mean of the numbers reached, and the first state."""
    advance = rollout(recipe, parameters)
    seconds, _, last = timed(recipe, lambda _: advance(states), repeat)
    reached = np.asarray(last, np.float64)
    mean = float(np.abs(reached).mean())
    require_finite(mean)
    return [value / recipe.steps_a_timing for value in seconds], [mean, *reached[0]]


def time_lattice(recipe, parameters, field, repeat):
    """Seconds of each acceleration of the field; mean of the accelerations' sizes, and the first few accelerations."""
    of_motion = partial(field_lagrangian, recipe, parameters)
    # As in a rollout, the parameters are constants of the compiled program. The default cutoff grows with the matrix.
    accelerate = jax.jit(partial(acceleration, of_motion, cutoff=None))
    seconds, _, last = timed(recipe, lambda _: accelerate(*field), repeat)
    found = np.asarray(last, np.float64)
    mean = float(np.abs(found).mean())
    require_finite(mean)
    return seconds, [mean, *found[:4]]


def peak_memory():
    """Most bytes of memory held at once, or None where the system does not say."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            found = re.search(r"^VmHWM:\s*(\d+) kB$", status.read(), re.MULTILINE)
    except OSError:
        return None
    return 1024 * int(found.group(1)) if found else None


def end_with_parent():
    """Ends this process once standard input is closed, that is when the process that started it is gone."""

    def wait():
        while os.read(0, 4096):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def positive(text):
    """A whole number from 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1")
    return number


def main():
    parser = argparse.ArgumentParser(description="Times JAX at the work of a Lagrangian network.", allow_abbrev=False)
    parser.add_argument("work", choices=["step", "rollout", "lattice"])
    parser.add_argument("--hidden", type=positive, required=True, help="width of the hidden layers")
    parser.add_argument("--layers", type=positive, required=True, help="number of hidden layers")
    size = parser.add_mutually_exclusive_group(required=True)
    size.add_argument("--batch", type=positive, help="states at once, of a step or rollout")
    size.add_argument("--points", type=positive, help="sites of the lattice")
    parser.add_argument("--repeat", type=positive, required=True, help="timings")
    parser.add_argument("--threads", type=positive, required=True, help="threads")
    parser.add_argument("--recipe", required=True, help="file with the recipe")
    parser.add_argument("--device", choices=["cpu", "gpu"], default="cpu", help="what computes")
    parser.add_argument("--precision", choices=["default", "highest"], default="default", help="of products")
    parser.add_argument("--loop", action="store_true", help="time a loop of training steps, as with --device gpu")
    parser.add_argument("--end-with-stdin", action="store_true", help="end when standard input is closed")
    arguments = parser.parse_args()
    size = "points" if arguments.work == "lattice" else "batch"
    count = getattr(arguments, size)
    if count is None:
        parser.error(f"`{arguments.work}` takes --{size}")
    if arguments.device == "gpu" and arguments.work == "lattice":
        parser.error("--device gpu is for `step` and `rollout`")
    # Ctrl-C ends the program at once, also inside compiled code.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if arguments.end_with_stdin:
        end_with_parent()
    # Read when the processor is first used, which is later than this.
    os.environ["PJRT_NPROC"] = os.environ["NPROC"] = str(arguments.threads)
    jax.config.update("jax_default_matmul_precision", arguments.precision)
    if jax.devices()[0].platform != arguments.device:
        sys.exit(f"JAX computes on {jax.devices()[0].platform}, and --device {arguments.device} was asked for")
    with open(arguments.recipe, encoding="utf-8") as file:
        recipe = SimpleNamespace(**json.load(file))

    # Sines, cosines and rates of two angles; or field and rate at three sites.
    sizes = [6] + [arguments.hidden] * arguments.layers + [1]
    parameters, place = first_parameters(recipe, sizes)
    start = (first_field if arguments.work == "lattice" else first_states)(recipe, place, count)
    work = {"step": time_step, "rollout": time_rollout, "lattice": time_lattice}[arguments.work]
    if arguments.work == "step" and (arguments.loop or arguments.device == "gpu"):
        work = time_steps
    seconds, check = work(recipe, parameters, start, arguments.repeat)
    report = {
        "program": "jax",
        "work": arguments.work,
        "hidden": arguments.hidden,
        "layers": arguments.layers,
        size: count,
        "check": check,
        "seconds": seconds,
        "threads": arguments.threads,
        "peak_memory_bytes": peak_memory(),
        "device": f"{jax.devices()[0]} ({jax.devices()[0].device_kind})",
        "precision": arguments.precision,
        "versions": {"jax": jax.__version__, "numpy": np.__version__, "python": platform.python_version()},
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
