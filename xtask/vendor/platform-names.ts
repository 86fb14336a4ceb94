// Node's names for systems, processors and C libraries, and other names for the same.

/** For each part of a platform: `process.platform`, `process.arch`, and npm's names for C libraries. */
const KNOWN = {
  os: [
    "aix",
    "android",
    "cygwin",
    "darwin",
    "freebsd",
    "haiku",
    "linux",
    "netbsd",
    "openbsd",
    "openharmony",
    "sunos",
    "win32",
  ],
  cpu: [
    "arm",
    "arm64",
    "ia32",
    "loong64",
    "mips",
    "mips64el",
    "mipsel",
    "ppc",
    "ppc64",
    "riscv64",
    "s390",
    "s390x",
    "x64",
  ],
  libc: ["glibc", "musl"],
} as const;

/** Names in container images, Debian, GNU and on Apple systems. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  aarch64: "arm64",
  amd64: "x64",
  armhf: "arm",
  armv8: "arm64",
  gnu: "glibc",
  i386: "ia32",
  i686: "ia32",
  loongarch64: "loong64",
  macos: "darwin",
  osx: "darwin",
  solaris: "sunos",
  windows: "win32",
  x86: "ia32",
  x86_64: "x64",
};

const PARTS = ["os", "cpu", "libc"] as const;

/** `platform` in Node's names. Keeps `*` and known parts; undefined if no known name is near. */
export function nearestPlatform(platform: string): string | undefined {
  const parts = platform.split("-").map((it, i) => {
    const known: readonly string[] = KNOWN[PARTS[i] ?? "libc"];
    return it === "*" || known.includes(it) ? it : nearestOf(it.toLowerCase(), known);
  });
  return parts.includes(undefined) ? undefined : parts.join("-");
}

function nearestOf(word: string, known: readonly string[]): string | undefined {
  const elsewhere = ELSEWHERE[word];
  if (elsewhere !== undefined && known.includes(elsewhere)) return elsewhere;
  // `arm64v8`, `ppc64le`: a known name with a suffix.
  const begins = known.filter((it) => word.startsWith(it)).sort((a, b) => b.length - a.length);
  if (begins[0] !== undefined) return begins[0];
  const [best] = known
    .map((name) => ({ name, distance: distanceOf(word, name) }))
    .sort((a, b) => a.distance - b.distance);
  return best !== undefined && best.distance <= word.length / 3 ? best.name : undefined;
}

/** The number of letters to change, insert or remove. */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const letter of a) {
    const next = [(row[0] ?? 0) + 1];
    for (let i = 1; i < row.length; i += 1) {
      const changed = (row[i - 1] ?? 0) + (letter === b[i - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[i] ?? 0) + 1, (next[i - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
