# SPDX-License-Identifier: Apache-2.0
import ast
import builtins
import importlib
import importlib.util
import inspect
import marshal
import os
import pkgutil
import py_compile
import runpy
import sys
import types
import zipfile

os.makedirs("pkg/sub")
for path, text in {"pkg/__init__.py": "VALUE = 1\n", "pkg/sub/__init__.py": "from .. import VALUE as V\n",
                   "pkg/mod.py": "def f():\n    return __name__\n", "script.py": "print('as', __name__)\n"}.items():
    with open(path, "w") as f:
        f.write(text)
sys.path.insert(0, os.getcwd())
importlib.invalidate_caches()
print(importlib.import_module("pkg.sub").V, importlib.import_module("pkg.mod").f())
print(sorted(m.name for m in pkgutil.walk_packages(["pkg"], "pkg.")), os.path.isdir("pkg/__pycache__"))
with zipfile.ZipFile("z.zip", "w") as z:
    z.writestr("zipped/__init__.py", "WHERE = 'in a zip'\n")
sys.path.insert(0, "z.zip")
print(importlib.import_module("zipped").WHERE)
runpy.run_path("script.py", run_name="__main__")
print(os.path.basename(py_compile.compile("script.py")).startswith("script."))
spec = importlib.util.spec_from_file_location("lone", "script.py")
spec.loader.exec_module(importlib.util.module_from_spec(spec))
tree = ast.parse("x = 1 + 2 * y")
print(ast.dump(tree.body[0].value), eval(compile("6*7", "<e>", "eval")), marshal.loads(marshal.dumps([1, "a"])))
print(inspect.signature(inspect.getsource), types.SimpleNamespace(a=1), hasattr(builtins, "print"))
import __future__  # noqa: E402
import cProfile  # noqa: E402
import pstats  # noqa: E402
import tracemalloc  # noqa: E402

tracemalloc.start()
prof = cProfile.Profile()
prof.runcall(sorted, range(1000))
print(pstats.Stats(prof).total_calls > 0, tracemalloc.get_traced_memory()[0] > 0, __future__.annotations.compiler_flag > 0)
try:
    importlib.import_module("no.such")
except ModuleNotFoundError as e:
    print(e)
