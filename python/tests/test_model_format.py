"""docs/model-format.md as it stands: its blocks run in their order, and the files that they write are what they say."""

import contextlib
import os
import shlex
import tempfile
import types
import unittest

import numpy as np

import support
from support import columns, load_golden, load_table, refused, run, save_table


class Linear:
    """Stands for torch.nn.Linear, where PyTorch itself would be hundreds of megabytes: weight [out, in], bias [out]."""

    def __init__(self, inputs, outputs):
        generator = np.random.default_rng(inputs * outputs)
        self.weight, self.bias = Tensor(generator.normal(size=(outputs, inputs))), Tensor(generator.normal(size=outputs))


class Tensor:
    """The calls that take a PyTorch tensor to numpy."""

    def __init__(self, values):
        self.values = values

    def detach(self):
        return self

    def cpu(self):
        return self

    def numpy(self):
        return self.values


def torch():
    """A module with what the document uses of PyTorch."""
    module = types.ModuleType("torch")
    module.nn = types.SimpleNamespace(Linear=Linear, Softplus=object, Sequential=lambda *layers: layers)
    return module


class Document(unittest.TestCase):
    """Runs every block once, in a temporary folder, and then looks at the files."""

    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.folder = cls.stack.enter_context(tempfile.TemporaryDirectory())
        before = os.getcwd()
        os.chdir(cls.folder)
        cls.stack.callback(os.chdir, before)
        import sys

        sys.modules["torch"] = torch()
        cls.stack.callback(sys.modules.pop, "torch")
        flax = {f"Dense_{i}": {"kernel": np.ones((n, m)) / (n + i), "bias": np.arange(float(m))}
                for i, (n, m) in enumerate([(6, 8), (8, 5), (5, 1)])}
        names = {"params": flax, "load_golden": load_golden}
        for language, code in support.blocks("docs/model-format.md", "python", "sh"):
            if language == "python":
                exec(compile(code, "docs/model-format.md", "exec"), names)
                continue
            for line in filter(None, code.splitlines()):
                word, *arguments = shlex.split(line)
                assert word == "lnn", line
                run(cls.folder, *arguments)
        cls.names = names

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def close(self, found, wanted, tolerance):
        """As an absolute and a relative bound, row by row."""
        self.assertEqual(np.shape(found), np.shape(wanted))
        error = np.max(np.abs(found - wanted) / (1 + np.abs(wanted)))
        self.assertLessEqual(error, tolerance)

    def golden(self, name, **conditionals):
        """Golden accelerations and energies through `lnn eval`."""
        golden = load_golden(f"{name}.json")
        d = int(golden["dof"])
        states = golden["states"]
        save_table("golden.csv", q=states[:, :d], q_dot=states[:, d:], **conditionals)
        run(self.folder, "eval", "--model", f"{name}.safetensors", "--states", "golden.csv", "--out", f"{name}.csv")
        learned = load_table(f"{name}.csv")
        self.close(columns(learned, "q_ddot"), golden["acceleration"], 1e-9)
        self.close(learned["energy"], golden["energy"], 1e-9)
        upper = np.triu_indices(d)
        matrix = np.stack([learned[f"mass{i}{j}"] for i, j in zip(*upper)], 1)
        self.close(matrix, golden["mass_matrix"][:, upper[0], upper[1]], 1e-9)
        return golden, learned

    def test_golden_values_of_sines_and_a_residual_mass(self):
        golden, learned = self.golden("lnn_sincos_mass")
        with self.assertRaises(AssertionError):
            self.close(learned["energy"] * (1 + 1e-8), golden["energy"], 1e-9)

    def test_golden_values_with_a_conditional(self):
        conditionals = load_golden("lnn_conditional.json")["conditionals"]
        self.golden("lnn_conditional", g=conditionals[:, 0])

    def test_a_flax_kernel_is_transposed(self):
        from lnn_model import load

        layers, _ = load("from-flax.safetensors").main
        self.assertEqual([weight.shape for weight, _ in layers], [(8, 6), (5, 8), (1, 5)])
        # The file has the network of the dicts: x @ kernel + bias.
        x = np.linspace(-1, 1, 6)
        for i, (weight, bias) in enumerate(layers):
            dense = self.names["params"][f"Dense_{i}"]
            np.testing.assert_allclose(weight @ x + bias, x @ dense["kernel"] + dense["bias"], rtol=1e-14)
            x = np.tanh(x @ dense["kernel"] + dense["bias"])

    def test_a_forgotten_transposition_is_refused_by_name(self):
        save = self.names["save_model"]
        layers = [(weight.T, bias) for weight, bias in load_golden("lnn_sincos_mass.json")["layers"]]
        record = "(kind: Lnn(residual_mass: 1.0), degrees_of_freedom: 2, activation: softplus, features: (angles: SinCos))"
        save("transposed.safetensors", layers, record)
        message = refused(
            self.folder, "eval", "--model", "transposed.safetensors", "--states", "states.csv", "--out", "none.csv"
        )
        self.assertIn("with these features need 6 and 1", message)
        self.assertFalse(os.path.exists("none.csv"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
