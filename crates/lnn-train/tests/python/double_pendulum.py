"""Motions of a double pendulum by SciPy's DOP853, as a person would measure them.

Two point masses of 1 kg on massless rods of 1 m under g = 9.8 m/s², both angles from the vertical. The equations below are
this script's own: the mass matrix and the forces, solved by elimination. Starts are uniform in the angles (±`angle`, by default π)
and the velocities (±`speed`, by default 2 rad/s).

    double_pendulum.py train   --out train.csv [--count 200] [--t-end 5] [--dt 0.05] [--noise 0.01] [--accelerations]
    double_pendulum.py starts  --out starts.csv [--count 100]              other states of the same ranges
    double_pendulum.py energy  --rollouts rollouts.csv                     change of the true energy along each, in percent

`--noise` is the standard deviation of normal errors on q and q_dot, as a fraction of each column's own deviation.
"""

import argparse
import csv
import math

import numpy as np
from scipy.integrate import solve_ivp

GRAVITY = 9.8
# The largest potential energy, with its zero at the pivot: what is 100 % in an energy error.
REFERENCE = 3.0 * GRAVITY
COLUMNS = ["trajectory", "t", "q0", "q1", "q_dot0", "q_dot1"]


def acceleration(q, q_dot):
    """q̈ of states [..., 2]."""
    difference = q[..., 0] - q[..., 1]
    cosine, sine = np.cos(difference), np.sin(difference)
    # [2 c; c 1] q̈ = force
    force0 = -sine * q_dot[..., 1] ** 2 - 2.0 * GRAVITY * np.sin(q[..., 0])
    force1 = sine * q_dot[..., 0] ** 2 - GRAVITY * np.sin(q[..., 1])
    determinant = 2.0 - cosine**2
    return np.stack([(force0 - cosine * force1) / determinant, (2.0 * force1 - cosine * force0) / determinant], -1)


def energy(q, q_dot):
    kinetic = q_dot[..., 0] ** 2 + 0.5 * q_dot[..., 1] ** 2
    kinetic = kinetic + q_dot[..., 0] * q_dot[..., 1] * np.cos(q[..., 0] - q[..., 1])
    return kinetic - GRAVITY * (2.0 * np.cos(q[..., 0]) + np.cos(q[..., 1]))


def motion(start, times):
    """States [times, 4] from a start [4]."""

    def rates(_, state):
        return np.concatenate([state[2:], acceleration(state[:2], state[2:])])

    solution = solve_ivp(rates, (times[0], times[-1]), start, "DOP853", times, rtol=1e-11, atol=1e-11)
    assert solution.success, solution.message
    return solution.y.T


def draw(arguments, seed):
    random = np.random.default_rng(seed)
    bounds = np.repeat([arguments.angle, arguments.speed], 2)
    return random.uniform(-bounds, bounds, (arguments.count, 4)), random


def shown(number, digits):
    """The shortest text with so many significant digits."""
    return repr(float(f"{number:.{digits}g}"))


def write(path, columns, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def write_training(arguments):
    initial, random = draw(arguments, arguments.seed)
    times = np.arange(round(arguments.t_end / arguments.dt) + 1) * arguments.dt
    states = np.stack([motion(start, times) for start in initial])
    accelerations = acceleration(states[..., :2], states[..., 2:])
    deviations = states.reshape(-1, 4).std(axis=0)
    states = states + arguments.noise * deviations * random.standard_normal(states.shape)
    columns = COLUMNS + (["q_ddot0", "q_ddot1"] if arguments.accelerations else [])
    rows = []
    for trajectory, (state, q_ddot) in enumerate(zip(states, accelerations)):
        for row, time in enumerate(times):
            extra = list(q_ddot[row]) if arguments.accelerations else []
            rows.append([trajectory, *(shown(x, arguments.digits) for x in (time, *state[row], *extra))])
    write(arguments.out, columns, rows)


def write_starts(arguments):
    # Another seed than any training's: same ranges, other states.
    initial, _ = draw(arguments, arguments.seed + 1_000_000)
    write(arguments.out, COLUMNS[2:], [[shown(x, 17) for x in start] for start in initial])


def judge_energy(arguments):
    by_trajectory = {}
    with open(arguments.rollouts, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            state = [float(row[name.split(" ")[0]]) for name in COLUMNS[2:]]
            by_trajectory.setdefault(row["trajectory"], []).append((float(row["t"]), state))
    errors, worst, ended = [], [], []
    for rows in by_trajectory.values():
        rows.sort()
        states = np.array([state for _, state in rows])
        energies = energy(states[:, :2], states[:, 2:])
        error = 100.0 * np.abs(energies - energies[0]) / REFERENCE
        errors.append(error[-1])
        worst.append(error.max())
        ended.append(rows[-1][0])
    complete = np.array(ended) >= max(ended) * (1.0 - 1e-9)
    print(f"rollouts {len(errors)}, to t = {max(ended)}; ended early {np.sum(~complete)}")
    last = np.array(errors)[complete]
    print(f"energy error at the end, percent: mean {last.mean():.4f} median {np.median(last):.4f} max {last.max():.4f}")
    print(f"largest along each rollout, percent: mean {np.mean(worst):.4f}")
    return last.mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    train, judge, measure = (verbs.add_parser(name) for name in ("train", "starts", "energy"))
    for verb, count in ((train, 200), (judge, 100)):
        verb.add_argument("--out", required=True)
        verb.add_argument("--count", type=int, default=count)
        verb.add_argument("--angle", type=float, default=math.pi)
        verb.add_argument("--speed", type=float, default=2.0)
        verb.add_argument("--seed", type=int, default=0)
    train.add_argument("--t-end", type=float, default=5.0)
    train.add_argument("--dt", type=float, default=0.05)
    train.add_argument("--noise", type=float, default=0.0)
    train.add_argument("--digits", type=int, default=17)
    train.add_argument("--accelerations", action="store_true")
    measure.add_argument("--rollouts", required=True)
    arguments = parser.parse_args()
    {"train": write_training, "starts": write_starts, "energy": judge_energy}[arguments.verb](arguments)


if __name__ == "__main__":
    main()
