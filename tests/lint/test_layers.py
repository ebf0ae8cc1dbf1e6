"""What scripts/check_layers.py reports: a fault of every kind, planted in a small tree, and nothing where there is none."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent.parent / "scripts"
sys.path.insert(0, str(SCRIPTS))
sys.dont_write_bytecode = True
import check_layers  # noqa: E402
from layers import cpp, includes, rooms  # noqa: E402


def complaints(files):
    """What the check says of a tree of these files, but for exceptions that only the real tree needs."""
    return [text for text in check_layers.complaints(files) if "scripts/layers/" not in text]


class Planted(unittest.TestCase):
    def reports(self, files, *words):
        lines = complaints(files)
        self.assertTrue(any(all(word in line for word in words) for line in lines), f"{words} not in {lines}")

    def passes(self, files):
        self.assertEqual(complaints(files), [])

    def test_types_of_one_name(self):
        text = "// A file.\n/// A thing.\nstruct Thing {\n  int x;\n};\n"
        self.reports({"core/a.h": text, "calibration/images/b.h": text}, "Thing", "core/a.h", "calibration/images/b.h")
        self.passes({"core/a.h": text, "core/b.h": text.replace("Thing", "Other")})

    def test_include_through_a_wall(self):
        walls = {"core/tensor.cpp": "core/ops/op.h", "core/ops/relu.cpp": "core/integer/codes.h",
                 "core/ops/tanh.cpp": "core/engine/steps/conv.h", "core/passes/fold.cpp": "core/fusion/patterns.h",
                 "core/quantization/plan.cpp": "core/engine/engine.h", "core/engine/run.cpp": "core/quantization/plan.h",
                 "calibration/images/png.cpp": "calibration/statistics/histogram.h",
                 "calibration/statistics/histogram.cpp": "calibration/tasks/task.h",
                 "core/engine/step.cpp": "cli/console.h", "kernels/pack.cpp": "core/tensor.h",
                 "onnx_io/load.cpp": "core/engine/engine.h"}
        for file, header in walls.items():
            with self.subTest(file=file):
                self.reports({file: f'// A file.\n#include "{header}"\n'}, f"{file}:2", header)
        self.passes({"core/engine/run.cpp": '#include "core/integer/codes.h"\n#include <vector>\n',
                     "tests/support/a.cpp": '#include "kernels/integer.h"\n#include "cli/console.h"\n'})

    def test_include_that_is_not_rooted_and_file_in_no_room(self):
        self.reports({"core/graph.cpp": '#include "graph.h"\n'}, "core/graph.cpp:1", "graph.h", "not rooted")
        self.reports({"calibration/loose.h": "// A file.\n"}, "calibration/loose.h", "no room")

    def test_header_of_a_library_outside_its_owner(self):
        self.reports({"core/graph.cpp": "#include <spdlog/spdlog.h>\n"}, "core/graph.cpp:1", "cli/")
        self.reports({"core/engine/run.cpp": "#pragma omp parallel\n"}, "core/parallel.cpp")
        self.reports({"kernels/avx2/plug_avx2.cpp": "#include <vector>\n"}, "an ISA file")
        self.reports({"core/ops/op.h": '// Ops.\n#include "kernels/requantize.h"\n'}, "a header of core/ops")

    def test_operator_compared_by_name(self):
        for text in ('node.op_type == "Conv"', '"Conv" != graph.node(id).op_type', 'op_type.starts_with("QLinear")',
                     "kNames.contains(reader.op_type)"):
            with self.subTest(text=text):
                code = f"// A file.\nbool is(const Node& node) {{ return {text}; }}\n"
                self.reports({"core/engine/run.cpp": code}, "core/engine/run.cpp", "op_type", "lines 2")
                self.passes({"core/fusion/patterns.cpp": code, "core/ops/all_ops.cpp": code, "tests/support/a.cpp": code})
        self.passes({"core/engine/run.cpp": "bool same = a.op_type == b.op_type;  // op_type == \"Conv\"\n"})

    def test_sizes(self):
        body = "  x();\n" * 59
        self.reports({"core/a.cpp": f"void f() {{\n{body}}}\n"}, "core/a.cpp:1", "f has 61 lines")
        self.passes({"core/a.cpp": f"void f() {{\n{body[7:]}}}\n"})
        self.reports({"core/a.cpp": "\n" * 501}, "core/a.cpp", "501 lines")
        self.reports({"scripts/a.py": "\n" * 501}, "scripts/a.py", "501 lines")
        self.reports({"core/a.cpp": "int f(int a, int b, int c, int d, int e, int g, std::map<int, int> h) {\n}\n"},
                     "core/a.cpp:1", "f takes 7 parameters")
        self.passes({"core/a.cpp": "int f(int a, int b, int c, int d, int e, std::map<int, std::pair<int, int>> h) {\n}\n"})

    def test_functions_are_found_wherever_they_stand(self):
        source = """// void none() {
namespace quantize {
namespace {
constexpr int kTable[] = {1, 2};
const char* kText = "void none() {";
}
class A : public B {
 public:
  A(int a, int b) : a_{a}, b_(b) { run(); }
  bool operator==(const A&) const = default;
  int b() const { return b_; }

 private:
  int a_{0};
};
template <typename T>
T A::run(T x) const {
  const auto f = [&](int i) { return i; };
  if (x) { f(1); }
  return x;
}
}
"""
        found = [(f.name, f.line, f.lines, f.parameters) for f in cpp.functions(source)]
        self.assertEqual(found, [("A", 9, 1, 2), ("b", 11, 1, 0), ("run", 16, 6, 1)])

    def test_declaration_without_a_contract(self):
        header = "// A file.\n#pragma once\n\nnamespace quantize {\n\n{}\n}  // namespace quantize\n"
        for bare in ("int f(int a);\n", "struct A {\n  int a;\n};\n", "enum class E { kA };\n",
                     "template <typename T>\nT g(T a);\n"):
            with self.subTest(bare=bare):
                self.reports({"core/a.h": header.replace("{}", bare)}, "core/a.h:6", "no comment")
                self.passes({"core/a.h": header.replace("{}", "/// What it does.\n" + bare),
                             "kernels/avx2/a.h": "int f();\n", "tests/a.h": "int f();\n"})
        self.passes({"core/a.h": header.replace("{}", "/// Both.\nint f(int a);\nint f(int a,\n      int b);\n\nclass A;\n")})
        self.reports({"core/a.h": header.replace("{}", "/// One.\nint f(int a);\n\nint g(int b);\n")}, "core/a.h:9")

    def test_markdown(self):
        self.reports({"core/README.md": "# core\n\n" + "word " * 25 + "\n"}, "core/README.md:3", "125 columns")
        self.passes({"core/README.md": "| " + "word " * 25 + "|\n"})
        self.reports({"core/README.md": "line\n" * 41}, "core/README.md", "41 lines")
        self.passes({"README.md": "line\n" * 41})

    def test_names_of_files_and_places_of_tests(self):
        self.reports({"core/a.cpp": "// See core/b.h.\n"}, "core/a.cpp:1", "core/b.h")
        self.reports({"README.md": "as `scripts/b.py` does\n"}, "README.md:1", "scripts/b.py")
        self.passes({"core/a.cpp": "// See core/b.h and build/core/c.h.\n", "core/b.h": "// A file.\n"})
        self.reports({"tests/unit/core/ops/a_test.cpp": "// A test.\n", "core/a.cpp": "// A file.\n"}, "mirrors no folder")
        self.passes({"tests/unit/core/a_test.cpp": "// A test.\n", "core/a.cpp": "// A file.\n"})


class Table(unittest.TestCase):
    def test_rooms_stand_above_what_they_include(self):
        order = list(rooms.ROOMS)
        for room, others in rooms.ROOMS.items():
            self.assertTrue(all(order.index(other) <= order.index(room) for other in others), room)

    def test_never(self):
        for room, other in (("core/quantization", "core/engine"), ("core/engine", "core/quantization"),
                            ("core/ops", "core/integer"), ("core/ops", "core/engine")):
            self.assertNotIn(other, rooms.ROOMS[room])
        self.assertEqual([room for room, others in rooms.ROOMS.items() if "cli" in others], ["cli", "cli/mpi", "tests"])
        self.assertEqual([room for room, others in rooms.ROOMS.items() if "cli/mpi" in others], ["cli/mpi", "tests"])

    def test_picture_counts_includes(self):
        lines = ['#include "core/tensor.h"', '#include "core/graph.h"', "#include <map>"]
        table = includes.picture({"core/ops/a.cpp": lines})
        self.assertEqual([line.split()[2:] for line in table.splitlines() if "core/ops" in line], [["2", "."]])


class Program(unittest.TestCase):
    def run_on(self, folder, *options):
        done = subprocess.run([sys.executable, "-B", SCRIPTS / "check_layers.py", "--root", folder, *options],
                              capture_output=True, text=True)
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout

    def test_exit_code_and_lines(self):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "core/ops").mkdir(parents=True)
            Path(folder, "core/ops/a.cpp").write_text('#include "cli/console.h"\n', encoding="utf8")
            code, text = self.run_on(folder)
            self.assertEqual(code, 1)
            self.assertIn("core/ops/a.cpp:1: core/ops may not include cli/console.h of cli\n", text)
            code, text = self.run_on(folder, "--picture")
            self.assertEqual(code, 0)
            self.assertIn("1!", text)


if __name__ == "__main__":
    unittest.main()
