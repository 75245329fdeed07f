"""The double pendulum's Lagrangian network in JAX: the program that ours is timed against.

    python jax_peer.py step    --hidden 500 --layers 4 --batch 512 --repeat 10
    python jax_peer.py rollout --hidden 64  --layers 3 --batch 1   --repeat 50

`step` is one training step, `rollout` is STEPS_A_TIMING Runge-Kutta steps of the learned motion in one compiled
loop. The program is what a JAX user writes from the paper (Cranmer et al. 2020, Appendix A): the Lagrangian of one
state, its derivatives by `jax.hessian`, `jax.grad` and `jax.jacfwd`, `jax.vmap` over the batch, `jax.jit` around
the whole. Numbers are in single precision, and every core is at JAX's disposal.

One line of JSON goes to standard output. `benches/peer_work.rs` does the same work and prints the same line.
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

import jax
import jax.numpy as jnp
import numpy as np

# Each of these has its twin in benches/peer_work.rs.
WARM_UP = 3
STEPS_A_TIMING = 50
TIME_STEP = 1e-3
LEARNING_RATE = 1e-4
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8
FIRST_GAIN, HIDDEN_GAIN, OUTPUT_GAIN = 1.5, 1.5, 0.3
VELOCITY_SCALE = 5.0
HIGHEST_SPEED = 10.0
GRAVITY = 9.8


def initial_parameters(key, sizes):
    """Weights [in, out] with deviation gain / sqrt(in), and zero biases, layer by layer."""
    gains = [FIRST_GAIN] + [HIDDEN_GAIN] * (len(sizes) - 3) + [OUTPUT_GAIN]
    keys = jax.random.split(key, len(gains))
    return [
        {"weight": gain / np.sqrt(inputs) * jax.random.normal(key, (inputs, outputs)), "bias": jnp.zeros(outputs)}
        for key, gain, inputs, outputs in zip(keys, gains, sizes[:-1], sizes[1:])
    ]


def draw_states(key, count):
    """Angles over the whole circle and rates up to HIGHEST_SPEED, [count, 4]."""
    unit = jax.random.uniform(key, (count, 4))
    return jnp.concatenate([2 * jnp.pi * unit[:, :2], HIGHEST_SPEED * (2 * unit[:, 2:] - 1)], axis=1)


def lagrangian(parameters, q, q_dot):
    """L = |q_dot|^2 / 2 + net(sin q, cos q, q_dot / 5)."""
    *hidden, output = parameters
    activation = jnp.concatenate([jnp.sin(q), jnp.cos(q), q_dot / VELOCITY_SCALE])
    for layer in hidden:
        activation = jax.nn.softplus(activation @ layer["weight"] + layer["bias"])
    network = activation @ output["weight"] + output["bias"]
    return 0.5 * jnp.dot(q_dot, q_dot) + network[0]


def acceleration(parameters, state):
    """The Euler-Lagrange equation solved for the acceleration by the pseudoinverse of the mass matrix."""
    q, q_dot = state[:2], state[2:]
    of_motion = partial(lagrangian, parameters)
    mass_matrix = jax.hessian(of_motion, argnums=1)(q, q_dot)
    mixed = jax.jacfwd(jax.grad(of_motion, argnums=1), argnums=0)(q, q_dot)
    force = jax.grad(of_motion, argnums=0)(q, q_dot) - mixed @ q_dot
    return jnp.linalg.pinv(mass_matrix) @ force


def true_acceleration(state):
    """The double pendulum with unit masses and lengths, in closed form."""
    angle_1, angle_2, rate_1, rate_2 = state
    sine, cosine = jnp.sin(angle_1 - angle_2), jnp.cos(angle_1 - angle_2)
    # [[1, c / 2], [c, 1]] q_ddot = (first, second)
    first = -0.5 * rate_2**2 * sine - GRAVITY * jnp.sin(angle_1)
    second = rate_1**2 * sine - GRAVITY * jnp.sin(angle_2)
    determinant = 1 - 0.5 * cosine**2
    return jnp.stack([first - 0.5 * cosine * second, second - cosine * first]) / determinant


def mean_error(parameters, states):
    """Mean over the batch of the sum of absolute errors of the acceleration."""
    learned = jax.vmap(partial(acceleration, parameters))(states)
    return jnp.abs(learned - jax.vmap(true_acceleration)(states)).sum(axis=1).mean()


@jax.jit
def training_step(parameters, mean, square, count, states):
    """Targets, loss, gradient and one update by Adam; the four that an update changes, and the loss."""
    loss, gradient = jax.value_and_grad(mean_error)(parameters, states)
    count = count + 1
    mean = jax.tree.map(lambda old, new: BETA_1 * old + (1 - BETA_1) * new, mean, gradient)
    square = jax.tree.map(lambda old, new: BETA_2 * old + (1 - BETA_2) * new**2, square, gradient)
    mean_scale, square_scale = 1 / (1 - BETA_1**count), 1 / (1 - BETA_2**count)

    def update(parameter, mean, square):
        return parameter - LEARNING_RATE * mean_scale * mean / (jnp.sqrt(square_scale * square) + EPSILON)

    return jax.tree.map(update, parameters, mean, square), mean, square, count, loss


def rollout(parameters):
    """STEPS_A_TIMING steps of the classical Runge-Kutta method for all states at once, compiled for a trained model.

    The parameters are constants of the compiled program, which is a third faster than passing them with each call.
    """

    def velocity(states):
        return jnp.concatenate([states[:, 2:], jax.vmap(partial(acceleration, parameters))(states)], axis=1)

    def step(states, _):
        k1 = velocity(states)
        k2 = velocity(states + TIME_STEP / 2 * k1)
        k3 = velocity(states + TIME_STEP / 2 * k2)
        k4 = velocity(states + TIME_STEP * k3)
        return states + TIME_STEP / 6 * (k1 + 2 * k2 + 2 * k3 + k4), None

    return jax.jit(lambda states: jax.lax.scan(step, states, None, length=STEPS_A_TIMING)[0])


def timed(call, repeat):
    """Seconds of each of `repeat` calls, after WARM_UP calls, and the last result; `call` takes the last result."""
    seconds, result = [], None
    for number in range(WARM_UP + repeat):
        start = time.perf_counter()
        result = jax.block_until_ready(call(result))
        if number >= WARM_UP:
            seconds.append(time.perf_counter() - start)
    return seconds, result


def time_step(parameters, states, repeat):
    """Seconds of each training step, and the last loss."""
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    start = (parameters, zeros, zeros, jnp.float32(0), None)
    seconds, last = timed(lambda last: training_step(*(last or start)[:4], states), repeat)
    return seconds, float(last[4])


def time_rollout(parameters, states, repeat):
    """Seconds of each Runge-Kutta step, averaged over each call, and the largest number reached."""
    advance = rollout(parameters)
    seconds, last = timed(lambda _: advance(states), repeat)
    return [value / STEPS_A_TIMING for value in seconds], float(jnp.abs(last).max())


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
    parser.add_argument("work", choices=["step", "rollout"])
    parser.add_argument("--hidden", type=positive, required=True, help="width of the hidden layers")
    parser.add_argument("--layers", type=positive, required=True, help="number of hidden layers")
    parser.add_argument("--batch", type=positive, required=True, help="states at once")
    parser.add_argument("--repeat", type=positive, required=True, help="timings")
    parser.add_argument("--end-with-stdin", action="store_true", help="end when standard input is closed")
    arguments = parser.parse_args()
    # Ctrl-C ends the program at once, also inside compiled code.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if arguments.end_with_stdin:
        end_with_parent()

    weights, states = jax.random.split(jax.random.key(0))
    parameters = initial_parameters(weights, [6] + [arguments.hidden] * arguments.layers + [1])
    states = draw_states(states, arguments.batch)
    work = {"step": time_step, "rollout": time_rollout}[arguments.work]
    seconds, result = work(parameters, states, arguments.repeat)
    if not np.isfinite(result):
        sys.exit(f"the work ended in {result}: timings of numbers that are not finite mean nothing")
    report = {
        "program": "jax",
        "work": arguments.work,
        "hidden": arguments.hidden,
        "layers": arguments.layers,
        "batch": arguments.batch,
        "median_seconds": float(np.median(seconds)),
        "seconds": seconds,
        "result": result,
        "peak_memory_bytes": peak_memory(),
        "device": str(jax.devices()[0]),
        "versions": {"jax": jax.__version__, "numpy": np.__version__, "python": platform.python_version()},
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
