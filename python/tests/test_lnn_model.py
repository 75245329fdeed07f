"""python/lnn_model.py against `lnn eval`, over every kind of feature and both models that have a Lagrangian."""

import os
import pathlib
import tempfile
import unittest

import numpy as np
from safetensors.numpy import save_file

from support import ROOT, columns, load_table, run, save_table

from lnn_model import ModelError, load, parse_ron

GENERATOR = np.random.default_rng(5)


def tensors(prefix, sizes, gain):
    """Random weights [out, in] and biases."""
    found = {}
    for i, (n, m) in enumerate(zip(sizes, sizes[1:])):
        found[f"{prefix}layers.{i}.weight"] = gain * GENERATOR.normal(size=(m, n)) / np.sqrt(n)
        found[f"{prefix}layers.{i}.bias"] = 0.5 * GENERATOR.normal(size=m)
    return found


# Name, kind, features, activation, d, c, features of the configuration, whether there are two networks.
CASES = [
    ("plain", "Lnn(residual_mass: 2.0)", "()", "tanh", 3, 0, 3, False),
    ("wrap", "Lnn(residual_mass: 1.5)", "(angles: Wrap, position_scale: 2.0)", "softplus", 2, 0, 2, False),
    ("sines", "Lnn(residual_mass: 1.5)", "(angles: SinCos, velocity_scale: 5.0)", "silu", 2, 0, 4, False),
    (
        "scaled",
        "Lnn(residual_mass: 3.0, scaled_velocities: true)",
        """(coordinates: [(angles: SinCos, position_scale: 1.0, velocity_scale: 4.0),
            (angles: Identity, position_scale: 0.5, velocity_scale: 0.25, position_centre: -1.5)])""",
        "gelu", 2, 0, 3, False,
    ),
    (
        "conditionals",
        "Lnn(residual_mass: 1.0)",
        "(angles: SinCos, conditionals: [(scale: 2.0), (centre: 9.8, scale: 0.5)])",
        "softplus", 1, 2, 2, False,
    ),
    ("potential", "Lnn(residual_mass: 2.0, potential_scale: 7.0)", "(angles: SinCos)", "sigmoid", 2, 1, 4, True),
    (
        "delan",
        "Delan(diagonal: 1.25, regularisation: 0.25, potential_scale: 2.0)",
        "(angles: SinCos, conditional_scale: 3.0)", "softplus", 3, 1, 6, True,
    ),
    ("relu3", "Lnn(residual_mass: 4.0)", "(position_scale: 3.0)", "relu3", 2, 0, 2, False),
    ("relu2", "Lnn(residual_mass: 4.0)", "(position_scale: 3.0)", "relu2", 2, 0, 2, False),
]


class Agreement(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def save(self, name, kind, features, activation, d, c, configuration, two):
        """A random model in the documented format."""
        delan = kind.startswith("Delan")
        inputs = configuration + c + (0 if delan else d)
        outputs = d * (d + 1) // 2 if delan else 1
        networks = tensors("", [inputs, 12, 9, outputs], 0.7)
        if two:
            networks |= tensors("potential.", [configuration + c, 12, 9, 1], 0.7)
        labels = ", ".join(f'(name: "c{j}")' for j in range(c))
        record = f"""(format: 1, record: (kind: {kind}, degrees_of_freedom: {d}, conditionals: {c},
            activation: {activation}, features: {features}, conditional_labels: [{labels}]))"""
        save_file(networks, self.path(f"{name}.safetensors"), metadata={"lnn.model": record})
        return self.path(f"{name}.safetensors")

    def compare(self, path, d, c, rows=200):
        """Largest relative difference of any quantity, each to the size of its terms and the condition of the solve."""
        q, q_dot = 3 * GENERATOR.normal(size=(rows, d)), 2 * GENERATOR.normal(size=(rows, d))
        conditionals = 2 * GENERATOR.normal(size=(rows, c))
        save_table(self.path("states.csv"), q=q, q_dot=q_dot, c=conditionals)
        run(self.folder, "eval", "--model", path, "--states", "states.csv", "--out", "out.csv", "--overwrite")
        program, model = load_table(self.path("out.csv")), load(path)
        found = {
            "q_ddot": model.acceleration(q, q_dot, conditionals),
            "p": model.momentum(q, q_dot, conditionals),
            "energy": model.energy(q, q_dot, conditionals)[:, None],
            "mass": model.mass_matrix(q, q_dot, conditionals)[(slice(None), *np.triu_indices(d))],
        }
        wanted = {name: columns(program, name) for name in ("q_ddot", "p")}
        wanted["energy"] = program["energy"][:, None]
        wanted["mass"] = np.stack([program[f"mass{i}{j}"] for i, j in zip(*np.triu_indices(d))], 1)
        condition = program["condition"]
        self.assertLess(condition.max(), 1e4, "these states are well-conditioned")
        worst = 0.0
        for name, values in found.items():
            size = 1 + np.max(np.abs(wanted[name]), 1) + np.max(np.abs(q_dot), 1) ** 2
            share = np.max(np.abs(values - wanted[name]), 1) / size
            worst = max(worst, np.max(share / condition if name == "q_ddot" else share))
        return worst

    def test_every_quantity_is_that_of_the_program(self):
        for case in CASES:
            with self.subTest(case[0]):
                path = self.save(*case)
                self.assertLessEqual(self.compare(path, case[4], case[5]), 1e-12)

    def test_the_comparison_refuses_a_changed_weight(self):
        for case in CASES:
            with self.subTest(case[0]):
                path = self.save(*case)
                import lnn_model

                loaded = lnn_model.load
                def changed(path):
                    model = loaded(path)
                    model.main[0][0][0][0, 0] += 1e-8
                    return model
                globals()["load"] = changed
                try:
                    self.assertGreater(self.compare(path, case[4], case[5]), 1e-12)
                finally:
                    globals()["load"] = loaded

    def test_a_rank_deficient_mass_matrix_is_inverted_where_it_has_rank(self):
        # One hidden unit and no residual mass: the mass matrix of two coordinates has rank 1.
        networks = tensors("", [4, 1, 1], 1.0)
        record = "(format: 1, record: (kind: Lnn(residual_mass: 0), degrees_of_freedom: 2, activation: softplus))"
        path = self.path("deficient.safetensors")
        save_file(networks, path, metadata={"lnn.model": record})
        q, q_dot = GENERATOR.normal(size=(50, 2)), GENERATOR.normal(size=(50, 2))
        save_table(self.path("states.csv"), q=q, q_dot=q_dot)
        run(self.folder, "eval", "--model", path, "--states", "states.csv", "--out", "out.csv")
        program = load_table(self.path("out.csv"))
        self.assertEqual(set(program["rank"]), {1.0})
        q_ddot = load(path).acceleration(q, q_dot)
        size = np.linalg.norm(q_ddot, axis=1) + 1
        self.assertLessEqual(np.max(np.linalg.norm(q_ddot - columns(program, "q_ddot"), axis=1) / size), 1e-10)

    def test_one_state_and_many_are_the_same(self):
        model = load(self.save(*CASES[4]))
        q, q_dot, c = np.array([[0.3], [1.0]]), np.array([[-1.0], [2.0]]), np.array([[1.0, 9.0], [0.0, 10.0]])
        many = model.acceleration(q, q_dot, c)
        np.testing.assert_allclose(model.acceleration(q[1], q_dot[1], c[1]), many[1], rtol=1e-14)
        self.assertEqual(np.shape(model.energy(q[0], q_dot[0], c[0])), ())

    def test_what_does_not_fit_is_refused(self):
        model = load(self.save(*CASES[4]))
        with self.assertRaisesRegex(ModelError, r"q and q_dot \[rows, 1\] and conditionals \[rows, 2\]"):
            model.energy(np.zeros((3, 2)), np.zeros((3, 2)))
        path = self.path("other.safetensors")
        for metadata, words in [
            (None, "no record `lnn.model`"),
            ({"lnn.model": "(format: 2, record: ())"}, "of format 2"),
            ({"lnn.model": "(format: 1, record: (kind: Hnn))"}, "of kind Hnn"),
            ({"lnn.model": "(format: 1, record: (kind: Baseline(output_scale: 1.0)))"}, "of kind Baseline"),
        ]:
            save_file(tensors("", [2, 1], 1.0), path, metadata=metadata)
            with self.assertRaisesRegex(ModelError, words):
                load(path)

    def test_tensors_that_do_not_belong_to_the_model_are_refused(self):
        record = """(format: 1, record: (kind: Lnn(residual_mass: 1.0{}), degrees_of_freedom: 2, activation: tanh))"""
        good = tensors("", [4, 5, 1], 1.0)
        path = self.path("odd.safetensors")

        def attempt(changes, potential=""):
            networks = {name: tensor for name, tensor in (good | changes).items() if tensor is not None}
            save_file(networks, path, metadata={"lnn.model": record.format(potential)})
            return load(path)

        attempt({})
        for changes, potential, words in [
            ({"layers.0.weight": np.ones((5, 3))}, "", r"`layers.0` has a weight \[5, 3\].*expected \[out, 4\]"),
            ({"layers.1.weight": np.ones((1, 6))}, "", r"`layers.1` has a weight \[1, 6\].*expected \[out, 5\]"),
            ({"layers.0.bias": np.ones(4)}, "", r"a bias \[4\]"),
            ({"layers.1.bias": None}, "", "`layers.1.bias` is missing"),
            ({"layers.0.weight": None}, "", "`layers.0.weight` is missing"),
            ({"layers.1.weight": np.ones((2, 5)), "layers.1.bias": np.ones(2)}, "", r"2 output\(s\), expected 1"),
            ({"layers.1.weight": np.full((1, 5), np.nan)}, "", "not finite"),
            ({"mask": np.ones(3)}, "", "has no tensor `mask`"),
            (tensors("potential.", [2, 5, 1], 1.0), "", "has no tensor `potential.layers.0.bias`"),
            ({}, ", potential_scale: 2.0", "`potential.layers.0.weight` is missing"),
        ]:
            with self.subTest(words), self.assertRaisesRegex(ModelError, words):
                attempt(changes, potential)

    def test_a_changed_file_is_refused_by_its_checksum(self):
        original = pathlib.Path(ROOT / "examples/data/spring_pendulum.safetensors").read_bytes()
        path = pathlib.Path(self.path("copy.safetensors"))
        path.write_bytes(original)
        load(path)
        # The last byte is of a weight; one of the record tells of the training only.
        for place in (len(original) - 1, original.index(b"seed:") + 5):
            path.write_bytes(original[:place] + bytes([original[place] ^ 1]) + original[place + 1 :])
            with self.assertRaisesRegex(ModelError, "do not match its checksum"):
                load(path)


class Ron(unittest.TestCase):
    def test_values_of_every_sort(self):
        text = """// a comment
            (a: 1, b: [1e-6, -2.5, .5,], /* another */ c: {"x": true, "y": false}, d: Some("é\\u{e9}\\n\\"q\\""),
             e: None, f: tanh, g: Lnn(m: 0.5, s: Some(2.0)), h: [], i: (), j: Empty())"""
        wanted = {
            "a": 1, "b": [1e-6, -2.5, 0.5], "c": {"x": True, "y": False}, "d": 'éé\n"q"', "e": None, "f": "tanh",
            "g": ("Lnn", {"m": 0.5, "s": 2.0}), "h": [], "i": {}, "j": ("Empty", {}),
        }
        self.assertEqual(parse_ron(text), wanted)

    def test_what_is_no_ron_is_refused(self):
        for text in ["", "(", "(a: 1", "(a: )", "(a 1)", "(a: 1) 2", "(a: $)", '("x)']:
            with self.assertRaises(ModelError, msg=text):
                parse_ron(text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
