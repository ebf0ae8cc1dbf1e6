"""Which file includes what: the walls between the rooms, and the picture of what crosses them."""
import re
from collections import Counter

from layers.rooms import ISA_FOLDERS, ISA_HEADERS, PUBLIC_KERNEL_HEADERS, ROOMS, THIRD_PARTY, THROUGH_THE_WALL, room_of

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


def includes(lines):
    """(line number, header, True for one of ours) of every include."""
    for number, line in enumerate(lines, 1):
        if found := INCLUDE.match(line):
            yield number, found.group(1) or found.group(2), found.group(1) is not None


def _ours(name, header):
    """What is wrong with including a header of ours; nothing if it is right."""
    room, other = room_of(name), room_of(header)
    if other is None:
        return f"\"{header}\" is not rooted at a room of the project"
    if other not in ROOMS[room] and header not in THROUGH_THE_WALL.get(name, ([],))[0]:
        return f"{room} may not include {header} of {other}"
    if other == "kernels" != room and name.endswith(".h") and header not in PUBLIC_KERNEL_HEADERS:
        return f"a header of {room} may see {', '.join(sorted(PUBLIC_KERNEL_HEADERS))} only"
    return None


def complaints(name, lines):
    """One text for each include of a file that breaks a rule."""
    for number, header, ours in includes(lines):
        at = f"{name}:{number}"
        if ours and (wrong := _ours(name, header)):
            yield f"{at}: {wrong}"
        for prefix, allowed in THIRD_PARTY.items():
            if header.startswith(prefix) and not name.startswith(allowed):
                yield f"{at}: {header} may be included in {', '.join(allowed)} only"
        if name.startswith(ISA_FOLDERS) and header not in ISA_HEADERS and not header.startswith(ISA_FOLDERS):
            yield f"{at}: an ISA file may include kernels/simd/, {', '.join(sorted(ISA_HEADERS))} only"
    for number, line in enumerate(lines, 1):
        if "#pragma omp" in line and name != "core/parallel.cpp":
            yield f"{name}:{number}: OpenMP belongs to core/parallel.cpp"


def unused_exceptions(sources):
    """One text for each entry of THROUGH_THE_WALL that its file does not need (any more)."""
    for name, (headers, _) in THROUGH_THE_WALL.items():
        used = {header for _, header, _ in includes(sources.get(name, []))}
        for header in headers:
            if header not in used:
                yield f"{name}: does not include {header}; remove its entry from THROUGH_THE_WALL in scripts/layers/rooms.py"


def picture(sources):
    """A table of rooms by rooms: how many includes lead from the row's files to the column's."""
    counts = Counter()
    for name, lines in sources.items():
        for _, header, ours in includes(lines):
            if ours and room_of(header):
                counts[room_of(name), room_of(header)] += 1
    rooms = [room for room in ROOMS if any(room in pair for pair in counts)]
    short = [str(i + 1) for i in range(len(rooms))]
    rows = [f"{'':24}" + "".join(f"{s:>6}" for s in short)]
    for i, room in enumerate(rooms):
        cells = [str(counts[room, other] or ".") + ("!" if other not in ROOMS[room] and counts[room, other] else "")
                 for other in rooms]
        rows.append(f"{short[i]:>2} {room:21}" + "".join(f"{cell:>6}" for cell in cells))
    through = sum(len(headers) for headers, _ in THROUGH_THE_WALL.values())
    rows.append(f"row includes column, so many times; !: {through} named exceptions in scripts/layers/rooms.py")
    return "\n".join(rows)
