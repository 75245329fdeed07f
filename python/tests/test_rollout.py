"""`lnn rollout` against SciPy's DOP853 with the accelerations of python/lnn_model.py.

Where the comparison means something: motions of one coordinate, which cannot be chaotic, for a long time; of two for a
short one. Two solutions of a chaotic motion part by a factor e for every Lyapunov time, whatever the tolerance.
"""

import os
import subprocess
import tempfile
import unittest

import numpy as np
from safetensors.numpy import save_file
from scipy.integrate import solve_ivp

from support import columns, load_table, program, run, save_table

from lnn_model import load
from test_lnn_model import tensors

GENERATOR = np.random.default_rng(11)

# Name, kind, coordinates, features of the configuration, end, states.
CASES = [
    ("one", "Lnn(residual_mass: 2.0)", 1, 2, 20.0, 40),
    ("two", "Lnn(residual_mass: 2.0)", 2, 4, 2.0, 40),
    ("delan", "Delan(diagonal: 1.25, regularisation: 0.25, potential_scale: 2.0)", 1, 2, 20.0, 40),
]


def reference(model, q, q_dot, times):
    """Frames `[times, rows, 2d]` by DOP853, all motions as one system."""
    rows, d = q.shape

    def rates(_, state):
        q, q_dot = state.reshape(2, rows, d)
        return np.concatenate([q_dot, model.acceleration(q, q_dot)]).ravel()

    start = np.concatenate([q, q_dot]).ravel()
    # The norm of the error is a mean over all motions: tight enough for the worst of them.
    solved = solve_ivp(rates, (times[0], times[-1]), start, "DOP853", times, rtol=1e-13, atol=1e-13)
    assert solved.success, solved.message
    return solved.y.T.reshape(len(times), 2, rows, d).transpose(0, 2, 1, 3).reshape(len(times), rows, 2 * d)


class Agreement(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def save(self, name, kind, d, configuration):
        delan = kind.startswith("Delan")
        networks = tensors("", [configuration + (0 if delan else d), 12, 9, d * (d + 1) // 2 if delan else 1], 0.7)
        if delan:
            networks |= tensors("potential.", [configuration, 12, 9, 1], 0.7)
        record = f"(format: 1, record: (kind: {kind}, degrees_of_freedom: {d}, activation: tanh, features: (angles: SinCos)))"
        path = os.path.join(self.folder, f"{name}.safetensors")
        save_file(networks, path, metadata={"lnn.model": record})
        return path

    def rollout(self, path, end, tolerance, rows, d, *options):
        """Frames `[times, rows, 2d]` by the program, and their times."""
        run(
            self.folder, "rollout", "--model", path, "--initial", "starts.csv", "--t-end", str(end), "--dt", str(end / 20),
            "--rtol", str(tolerance), "--atol", str(tolerance), "--out", "motions.csv", "--overwrite", *options,
        )
        table = load_table(os.path.join(self.folder, "motions.csv"))
        states = np.concatenate([columns(table, "q"), columns(table, "q_dot")], 1)
        np.testing.assert_array_equal(table["trajectory"], np.repeat(np.arange(rows), 21))
        return states.reshape(rows, 21, 2 * d).transpose(1, 0, 2), table["t"][:21]

    def test_motions_are_those_of_scipy_to_the_tolerance_asked(self):
        for name, kind, d, configuration, end, rows in CASES:
            with self.subTest(name):
                path = self.save(name, kind, d, configuration)
                q, q_dot = GENERATOR.normal(size=(rows, d)), GENERATOR.normal(size=(rows, d))
                save_table(os.path.join(self.folder, "starts.csv"), q=q, q_dot=q_dot)
                apart, wanted = {}, None
                for tolerance in (1e-6, 1e-9):
                    frames, times = self.rollout(path, end, tolerance, rows, d)
                    if wanted is None:
                        wanted = reference(load(path), q, q_dot, times)
                    np.testing.assert_array_equal(frames[0], wanted[0])
                    apart[tolerance] = np.max(np.abs(frames - wanted) / (1 + np.abs(wanted)))
                    # Every step, a few to a unit of time, may add an error of the tolerance, which grows with the time.
                    self.assertLess(apart[tolerance], 10 * end**2 * tolerance)
                # A thousandth of the tolerance is seen: the comparison is not of one with itself.
                self.assertLess(apart[1e-9], apart[1e-6] / 50)

    def test_the_comparison_refuses_a_changed_weight(self):
        name, kind, d, configuration, end, rows = CASES[0]
        path = self.save(name, kind, d, configuration)
        q, q_dot = GENERATOR.normal(size=(rows, d)), GENERATOR.normal(size=(rows, d))
        save_table(os.path.join(self.folder, "starts.csv"), q=q, q_dot=q_dot)
        frames, times = self.rollout(path, end, 1e-9, rows, d)
        model = load(path)
        model.main[0][0][0][0, 0] += 1e-4
        wanted = reference(model, q, q_dot, times)
        self.assertGreater(np.max(np.abs(frames - wanted) / (1 + np.abs(wanted))), 10 * end**2 * 1e-9)

    def test_a_motion_that_ends_early_is_told_by_the_exit_code(self):
        # One hidden unit without residual mass: the mass matrix of two coordinates has rank 1 everywhere.
        networks = tensors("", [4, 1, 1], 1.0)
        record = "(format: 1, record: (kind: Lnn(residual_mass: 0), degrees_of_freedom: 2, activation: softplus))"
        path = os.path.join(self.folder, "deficient.safetensors")
        save_file(networks, path, metadata={"lnn.model": record})
        save_table(os.path.join(self.folder, "starts.csv"), q=np.zeros((3, 2)), q_dot=np.ones((3, 2)))
        options = ["--initial", "starts.csv", "--t-end", "1", "--dt", "0.1", "--out", "motions.csv"]
        done = subprocess.run(
            [program(), "rollout", "--model", path, *options], cwd=self.folder, capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("the mass matrix is singular at t = 0", done.stderr)
        self.assertEqual(len(load_table(os.path.join(self.folder, "motions.csv"))["t"]), 3)


if __name__ == "__main__":
    unittest.main(verbosity=2)
