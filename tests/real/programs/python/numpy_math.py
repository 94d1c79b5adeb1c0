# SPDX-License-Identifier: Apache-2.0
import numpy as np

a = np.arange(12.0).reshape(3, 4)
print(a @ a.T)
print(a.sum(axis=0), a.mean(), a.std().round(6))
m = np.array([[4.0, 1.0], [2.0, 3.0]])
print(np.linalg.solve(m, [1.0, 2.0]), np.linalg.det(m).round(9), sorted(np.linalg.eigvals(m).round(9)))
big = np.ones((300, 300))
print((big @ big).sum())
rng = np.random.default_rng(7)
print(rng.integers(0, 100, 8), np.sort(rng.permutation(6)))
print(np.abs(np.fft.fft(np.sin(np.arange(8)))).round(4))
np.save("a.npy", a)
print(np.array_equal(np.load("a.npy", mmap_mode="r"), a))
np.savez("b.npz", x=a, y=m)
with np.load("b.npz") as z:
    print(sorted(z.files), z["y"].shape)
np.savetxt("c.csv", a, delimiter=",", fmt="%.1f")
print(open("c.csv").readline().strip())
