# The test programs: one per folder under tests/unit, plus the kernels'. Labels: unit, kernels, cli, ort, lint.
find_package(Catch2 2 REQUIRED)
include(Catch)

add_library(test_support STATIC tests/support/main.cpp)
target_link_libraries(test_support PUBLIC quantize_flags Catch2::Catch2)
target_compile_options(test_support PUBLIC -O1)  # of the tests' own code: a fifth less time to compile than with -O2

# The sources are those of a folder, or those that match a pattern under tests.
function(add_test_program name label folder)
  if(folder MATCHES "\\*")
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder})
  else()
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cpp)
  endif()
  if(sources)
    add_executable(${name} ${sources})
    target_link_libraries(${name} PRIVATE test_support ${ARGN})
    target_precompile_headers(${name} PRIVATE ${QUANTIZE_STANDARD_HEADERS} <catch2/catch.hpp>)
    target_compile_definitions(${name} PRIVATE QUANTIZE_TEST_DATA="${PROJECT_SOURCE_DIR}/tests"
                               QUANTIZE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    catch_discover_tests(${name} TEST_PREFIX "${name}: " PROPERTIES LABELS ${label} TIMEOUT 300)
  endif()
endfunction()

add_test_program(test_kernels kernels tests/kernels quantize_kernels)
if(avxvnni IN_LIST QUANTIZE_ISAS)  # once more, in an encoding that CPUs with AVX-512 VNNI alone can run
  add_library(avxvnni_as_evex OBJECT kernels/avxvnni/plug_avxvnni.cpp)
  target_link_libraries(avxvnni_as_evex PRIVATE quantize_flags)
  target_compile_definitions(avxvnni_as_evex PRIVATE QUANTIZE_AVXVNNI_AS_EVEX plug_avxvnni=plug_avxvnni_as_evex)
  target_link_libraries(test_kernels PRIVATE avxvnni_as_evex)
endif()
if(amx IN_LIST QUANTIZE_ISAS)  # once more, with tiles in software: CPUs that have them are rare
  add_library(amx_in_software OBJECT kernels/amx/plug_amx.cpp)
  target_link_libraries(amx_in_software PRIVATE quantize_flags)
  target_compile_definitions(amx_in_software PRIVATE QUANTIZE_AMX_IN_SOFTWARE plug_amx=plug_amx_in_software)
  target_link_libraries(test_kernels PRIVATE amx_in_software)
endif()
# Not tests: built on demand, by scripts/bench_kernels.sh.
file(GLOB bench_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/bench/*.cpp)
add_executable(bench_kernels EXCLUDE_FROM_ALL ${bench_sources} tests/support/main.cpp)
target_link_libraries(bench_kernels PRIVATE quantize_kernels Catch2::Catch2)
target_compile_definitions(bench_kernels PRIVATE CATCH_CONFIG_ENABLE_BENCHMARKING)

if(NOT QUANTIZE_SANITIZE)  # sanitizers add symbols of their own
  add_test(NAME isa_symbols COMMAND ${PROJECT_SOURCE_DIR}/scripts/check_isa_symbols.sh ${PROJECT_BINARY_DIR})
  set_tests_properties(isa_symbols PROPERTIES LABELS lint)
endif()
if(NOT QUANTIZE_PROGRAM)  # under an emulator, where the engine is what may differ
  add_test_program(test_core unit tests/unit/core/engine/*engine_test.cpp quantize_core)
  return()
endif()
add_test_program(test_core unit tests/unit/core quantize_core)
add_test_program(test_calibration unit tests/unit/calibration quantize_calibration)
add_test_program(test_suites unit tests/suites quantize_core)
add_test_program(test_onnx_io unit tests/unit/onnx_io quantize_onnx_io ${ONNX_PROTO_LIBRARY} protobuf::libprotobuf)
target_compile_definitions(test_onnx_io PRIVATE ONNX_ML=1 ONNX_NAMESPACE=onnx)
add_test_program(test_cli unit tests/unit/cli quantize_cli)

# Readers of hostile bytes as functions (tests/fuzz/README.md): a test of them all, and a program for each with libFuzzer.
file(GLOB fuzz_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/fuzz/targets/*.cpp)
add_library(fuzz_targets STATIC EXCLUDE_FROM_ALL ${fuzz_sources} tests/fuzz/choices.cpp tests/fuzz/fuzz_target.cpp
            tests/fuzz/operator_examples.cpp tests/suites/graphs.cpp)
target_link_libraries(fuzz_targets PUBLIC quantize_cli)
add_test_program(test_fuzz unit tests/fuzz/*_test.cpp fuzz_targets)
if(QUANTIZE_FUZZ)
  foreach(source ${fuzz_sources})
    get_filename_component(name ${source} NAME_WE)
    add_executable(fuzz_${name} tests/fuzz/libfuzzer.cpp)
    target_compile_definitions(fuzz_${name} PRIVATE QUANTIZE_FUZZ_TARGET="${name}")
    target_link_libraries(fuzz_${name} PRIVATE fuzz_targets)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  endforeach()
endif()

if(NOT QUANTIZE_SANITIZE)  # they replace operator new themselves
  add_test_program(test_allocations unit tests/allocations quantize_onnx_io)
endif()

# ONNX's own operator tests. They need the Python packages of tests/requirements.txt, which scripts/test.sh puts in .venv.
add_executable(node_test_runner tests/conformance/node_test_runner.cpp)
target_link_libraries(node_test_runner PRIVATE quantize_core quantize_onnx_io)
add_executable(suite_writer tests/conformance/suite_writer.cpp tests/suites/graphs.cpp)
target_link_libraries(suite_writer PRIVATE quantize_core quantize_calibration quantize_onnx_io)
find_program(QUANTIZE_TEST_PYTHON python PATHS ${PROJECT_SOURCE_DIR}/.venv/bin NO_DEFAULT_PATH)
function(add_conformance_test name script)
  add_test(NAME "conformance: ${name}"
           COMMAND ${QUANTIZE_TEST_PYTHON} ${PROJECT_SOURCE_DIR}/tests/conformance/${script}.py ${ARGN})
  set_tests_properties("conformance: ${name}" PROPERTIES LABELS ort TIMEOUT 600)
endfunction()
if(QUANTIZE_TEST_PYTHON)
  add_conformance_test("ONNX node tests" onnx_node_tests $<TARGET_FILE:node_test_runner>)
  add_conformance_test("QDQ models in ONNX Runtime" qdq_in_onnxruntime $<TARGET_FILE:quantize> ${PROJECT_SOURCE_DIR}/data)
  add_conformance_test("quantized files of other tools" foreign_files $<TARGET_FILE:quantize>)
  add_conformance_test("control flow in ONNX Runtime" control_flow $<TARGET_FILE:quantize>)
  add_conformance_test("operator forms in ONNX Runtime" operator_forms $<TARGET_FILE:quantize>)
  add_conformance_test("modes in ONNX Runtime" modes_in_onnxruntime $<TARGET_FILE:quantize>)
  add_conformance_test("modes, formats and targets" modes_and_formats $<TARGET_FILE:quantize> ${PROJECT_SOURCE_DIR}/data)
  add_conformance_test("activations of 16 bits in ONNX Runtime" sixteen_bits $<TARGET_FILE:quantize>)
  add_conformance_test("suite in ONNX Runtime" suite_in_onnxruntime $<TARGET_FILE:suite_writer>)
  add_conformance_test("layers in ONNX Runtime" layers_in_onnxruntime $<TARGET_FILE:quantize>)
  add_conformance_test("lint in the runtimes" lint_in_runtimes $<TARGET_FILE:quantize> ${PROJECT_SOURCE_DIR}/data)
  add_conformance_test("layers in OpenVINO" layers_in_openvino $<TARGET_FILE:quantize> ${PROJECT_SOURCE_DIR}/data)
  set_tests_properties("conformance: layers in OpenVINO" PROPERTIES SKIP_RETURN_CODE 77)
  add_conformance_test("operators of ONNX Runtime's tools" microsoft_operators $<TARGET_FILE:quantize>)
  foreach(system torch onnxruntime)
    add_conformance_test("presets beside ${system}" presets $<TARGET_FILE:quantize> ${PROJECT_SOURCE_DIR}/data ${system})
    set_tests_properties("conformance: presets beside ${system}" PROPERTIES SKIP_RETURN_CODE 77)
  endforeach()
  add_conformance_test("networks of every family" networks $<TARGET_FILE:quantize>)
  add_conformance_test("random networks" random_graphs $<TARGET_FILE:quantize>)
endif()

# The program as its users see it; needs nothing but python3.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
file(GLOB cli_tests CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/tests/cli ${PROJECT_SOURCE_DIR}/tests/cli/test_*.py)
set(mpi_environment "")
if(TARGET quantize_mpi)
  set(mpi_environment "QUANTIZE_MPI=$<TARGET_FILE:quantize_mpi>;MPIRUN=${MPIEXEC_EXECUTABLE}")
else()
  message(STATUS "quantize_mpi is not built: its test is SKIPPED")
endif()
foreach(script ${cli_tests})
  add_test(NAME "cli: ${script}" COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tests/cli/${script})
  set_tests_properties("cli: ${script}" PROPERTIES LABELS cli TIMEOUT 600
                       ENVIRONMENT "QUANTIZE=$<TARGET_FILE:quantize>;QUANTIZE_SANITIZE=${QUANTIZE_SANITIZE};${mpi_environment}")
endforeach()
set_tests_properties("cli: test_mpi.py" "cli: test_processors.py" PROPERTIES SKIP_RETURN_CODE 77)

# The rules of the tree, and what the script that checks them reports.
add_test(NAME "lint: tree" COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/scripts/check_layers.py)
add_test(NAME "lint: test_layers.py" COMMAND Python3::Interpreter -B ${PROJECT_SOURCE_DIR}/tests/lint/test_layers.py)
set_tests_properties("lint: tree" "lint: test_layers.py" PROPERTIES LABELS lint TIMEOUT 120)
