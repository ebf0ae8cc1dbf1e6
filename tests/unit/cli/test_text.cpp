#include <catch2/catch.hpp>

#include "cli/progress.h"
#include "cli/text.h"

using namespace quantize;

TEST_CASE("Sizes are printed in the unit that suits them") {
  CHECK(format_bytes(0) == "0 B");
  CHECK(format_bytes(1023) == "1023 B");
  CHECK(format_bytes(1024) == "1.0 KiB");
  CHECK(format_bytes(261955) == "255.8 KiB");
  CHECK(format_bytes(14u << 20) == "14.0 MiB");
  CHECK(format_bytes(uint64_t{1} << 50) == "1048576.0 GiB");
  CHECK(format_count(999) == "999");
  CHECK(format_count(56714) == "56.7 k");
  CHECK(format_count(3504872) == "3.5 M");
}

TEST_CASE("A small figure keeps three digits") {
  CHECK(format_figure(1.23456, 3) == "1.235");
  CHECK(format_figure(0.5, 2) == "0.500");
  CHECK(format_figure(0.000432, 3) == "0.000432");
  CHECK(format_figure(-0.0432, 3) == "-0.0432");
  CHECK(format_figure(0.0999999, 3) == "0.1000");
  CHECK(format_figure(1.5e-9, 6) == "1.50e-09");
  CHECK(format_figure(0, 3) == "0.000");
  CHECK(format_figure(1234.5678, 1) == "1234.6");
}

TEST_CASE("One of a thing is not many") {
  CHECK(format_plural(0, "image") == "0 images");
  CHECK(format_plural(1, "image") == "1 image");
  CHECK(format_plural(2, "image") == "2 images");
}

TEST_CASE("Columns of a table are as wide as their widest cell") {
  Table table({{"name"}, {"nodes", Table::Align::kRight}});
  table.add({"Conv", "12"});
  table.add({"GlobalAveragePool", "1"});
  CHECK(table.text(Style{}) ==
        "  name               nodes\n"
        "  Conv                  12\n"
        "  GlobalAveragePool      1\n");
}

TEST_CASE("Only the titles of a table carry colour, and only where asked") {
  Table table({{"a"}});
  table.add({"b"});
  CHECK(table.text(Style{.color = true}) == "\x1b[1m  a\x1b[0m\n  b\n");
}

TEST_CASE("Names from a model cannot steer the terminal") {
  CHECK(printable("a\x1b[31mb\n\tc\x7f") == "a?[31mb??c?");
  CHECK(printable("größe") == "größe");
  Table table({{"name"}});
  table.add({"x\x1b]0;title\x07"});
  CHECK(table.text(Style{}).find('\x1b') == std::string::npos);
}

TEST_CASE("Progress shows the rate and the time left") {
  CHECK(progress_line("calibrating", 0, 256, 0) == "calibrating  0/256");
  CHECK(progress_line("calibrating", 100, 250, 2) == "calibrating  100/250  50.0/s  3 s left");
  CHECK(progress_line("calibrating", 1, 601, 1) == "calibrating  1/601  1.0/s  10 min 0 s left");
  CHECK(progress_line("calibrating", 250, 250, 5) == "calibrating  250/250  50.0/s");
  CHECK(progress_line("trying", 7, 0, 12.5) == "trying  7  12 s");
  CHECK(progress_line("reading the model", 0, 0, 0) == "reading the model");
  CHECK(progress_line("reading the model", 0, 0, 3) == "reading the model  3 s");
  CHECK(progress_line("calibrating", 0, 256, 3) == "calibrating  0/256  3 s");
  CHECK(progress_line("measuring", 9, 5, 3) == "measuring  9  3 s");
}
