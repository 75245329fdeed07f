"""Tables as numpy itself writes them, through `lnn eval`: every form gives the same numbers, or is refused as documented."""

import os
import tempfile
import unittest

import numpy as np

from support import ROOT, load_table, refused, run, save_table

MODEL = str(ROOT / "crates/lnn-train/tests/data/format-1-lnn-f32.safetensors")
ROWS = 24


class NumpyFiles(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        # Multiples of a power of two: exact in f4, and integers after a multiplication by 64.
        generator = np.random.default_rng(3)
        draw = lambda *shape: generator.integers(-128, 128, shape) / 64.0
        self.q, self.q_dot, self.g = draw(ROWS, 2), draw(ROWS, 2), draw(ROWS)
        save_table(self.path("states.csv"), q=self.q, q_dot=self.q_dot, g=self.g)
        self.expected = self.evaluate("states.csv")

    def path(self, name):
        return os.path.join(self.folder, name)

    def evaluate(self, name, *options):
        arguments = ["eval", "--model", MODEL, "--states", name, "--out", "out.csv", "--overwrite", *options]
        run(self.folder, *arguments, "--conditionals", "g")
        return load_table(self.path("out.csv"))

    def same(self, name, *options):
        found = self.evaluate(name, *options)
        for column in ("q_ddot0", "q_ddot1", "energy", "mass01", "condition"):
            np.testing.assert_array_equal(found[column], self.expected[column], err_msg=f"{name}: {column}")
        return found

    def structured(self, element):
        names = ["q0", "q1", "q_dot0", "q_dot1", "g"]
        array = np.zeros(ROWS, dtype=[(name, element) for name in names])
        for name, values in zip(names, [*self.q.T, *self.q_dot.T, self.g]):
            array[name] = values
        return array

    def test_structured_arrays_in_either_byte_order_and_precision(self):
        for element in ("<f8", ">f8", "<f4", ">f4"):
            np.save(self.path("a.npy"), self.structured(element))
            self.same("a.npy")

    def test_fields_of_vectors_and_aligned_padding(self):
        array = np.zeros(ROWS, np.dtype([("n", "i1"), ("q", "f8", 2), ("q_dot", "f4", (2,)), ("g", "f8")], align=True))
        array["q"], array["q_dot"], array["g"] = self.q, self.q_dot, self.g
        np.save(self.path("a.npy"), array)
        self.same("a.npy")

    def test_plain_arrays_in_either_order(self):
        array = np.column_stack([self.q, self.q_dot, self.g])
        for order in "CF":
            np.save(self.path("a.npy"), np.asarray(array, order=order))
            self.same("a.npy", "--columns", "q0,q1,q_dot0,q_dot1,g")

    def test_archives_stored_and_compressed(self):
        for save in (np.savez, np.savez_compressed):
            save(self.path("a.npz"), q=np.asfortranarray(self.q), q_dot=self.q_dot.astype(">f4"), g=self.g, dt=0.1, names=["a"])
            self.same("a.npz")

    def test_trajectories_by_rows_by_coordinates(self):
        times = np.linspace(0, 1, ROWS // 3)
        self.g = np.repeat([1.0, -0.5, 2.0], ROWS // 3)
        save_table(self.path("states.csv"), q=self.q, q_dot=self.q_dot, g=self.g)
        self.expected = self.evaluate("states.csv")
        by_trajectory = lambda values: values.reshape(3, ROWS // 3, 2)
        np.savez(self.path("a.npz"), q=by_trajectory(self.q), q_dot=by_trajectory(self.q_dot), t=times, g=[1.0, -0.5, 2.0])
        found = self.same("a.npz")
        np.testing.assert_array_equal(found["trajectory"], np.repeat([0, 1, 2], ROWS // 3))
        np.testing.assert_array_equal(found["t"], np.tile(times, 3))

    def test_integers_of_every_width(self):
        whole = [np.round(64 * values) for values in (self.q, self.q_dot, self.g)]
        save_table(self.path("states.csv"), q=whole[0], q_dot=whole[1], g=whole[2])
        self.expected = self.evaluate("states.csv")
        for element in ("i2", ">i4", "i8"):
            np.savez(self.path("a.npz"), q=whole[0].astype(element), q_dot=whole[1].astype(element), g=whole[2].astype("i2"))
            self.same("a.npz")

    def test_text_by_savetxt(self):
        array = np.column_stack([self.q, self.q_dot, self.g])
        for delimiter in ",;\t":
            header = delimiter.join(["q0", "q1", "q_dot0", "q_dot1", "g"])
            np.savetxt(self.path("a.csv"), array, delimiter=delimiter, header=header, comments="")
            self.same("a.csv")

    def test_what_lnn_writes_is_read_by_numpy(self):
        arguments = ["eval", "--model", MODEL, "--states", "states.csv", "--out", "out.npy", "--conditionals", "g"]
        run(self.folder, *arguments)
        array = np.load(self.path("out.npy"))
        self.assertEqual(array.dtype.names, tuple(self.expected))
        for name, values in self.expected.items():
            np.testing.assert_array_equal(array[name], values)

    def test_what_cannot_be_read_rightly_is_refused_as_documented(self):
        documented = (ROOT / "docs/errors.md").read_text()

        def check(name, words, *options):
            message = refused(
                self.folder, "eval", "--model", MODEL, "--conditionals", "g", "--states", name, "--out", "none.csv", *options
            )
            self.assertIn(words, message)
            self.assertFalse(os.path.exists(self.path("none.csv")))
            return message.removeprefix("error: ").strip()

        three = (self.q.reshape(2, -1, 2), self.q_dot.reshape(2, -1, 2))
        np.savez(self.path("states.npz"), q=np.asfortranarray(three[0]), q_dot=three[1], g=[1.0, 2.0])
        self.assertIn(check("states.npz", "in Fortran order"), documented)
        array = self.structured("f8").astype([(n, "c16" if n == "q_dot0" else "f8") for n in ("q0", "q1", "q_dot0", "q_dot1", "g")])
        np.save(self.path("states.npy"), array)
        self.assertIn(check("states.npy", "<c16"), documented)
        np.save(self.path("objects.npy"), np.array([[1.0, None, 0.0, 0.0, 0.0]], dtype=object))
        check("objects.npy", "has elements of type |O", "--columns", "q0,q1,q_dot0,q_dot1,g")
        np.savez(self.path("short.npz"), q=self.q, q_dot=self.q_dot[:-1], g=self.g)
        check("short.npz", f"`q_dot` has the shape ({ROWS - 1}, 2), which does not fit the table's {ROWS} row(s)")
        np.save(self.path("cube.npy"), np.zeros((2, 2, 2)))
        check("cube.npy", "has the shape (2, 2, 2); a table needs two dimensions")


if __name__ == "__main__":
    unittest.main(verbosity=2)
