// Kernel arguments that an image brings (`/usr/lib/bootc/kargs.d/*.toml`), and how updates change them.
import { BootcError } from "../errors.ts";
import { parseToml } from "../format/toml-file.ts";
import { addKargs, type Karg, parseKargs, removeKargs } from "./kargs.ts";

export interface KargsFile {
  readonly name: string;
  readonly text: string;
}

/** For each of Node's architecture names, the spellings of kargs.d and of OCI; we accept both. */
const ARCHITECTURES: Readonly<Record<string, readonly string[]>> = {
  x64: ["x86_64", "amd64"],
  arm64: ["aarch64", "arm64"],
  ppc64: ["powerpc64", "ppc64le"],
  s390x: ["s390x"],
  riscv64: ["riscv64", "riscv64gc"],
};

/** How configuration files may spell the architecture that Node calls `arch`. */
export function namesOfArchitecture(arch: string): readonly string[] {
  return ARCHITECTURES[arch] ?? [arch];
}

/** The arguments in an image's files, without those for other architectures; `arch` is Node's name. */
export function collectKargs(files: readonly KargsFile[], arch: string): readonly Karg[] {
  const sorted = files
    .filter((it) => it.name.endsWith(".toml"))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return sorted.reduce<readonly Karg[]>(
    (kargs, file) => addKargs(kargs, parseKargsFile(file, arch)),
    [],
  );
}

/**
 * The arguments a host boots with after moving from one image to the next: `current` keeps local changes,
 * loses those that only the old image asked for, and gains those that only the new one asks for.
 */
export function updateKargs(
  current: readonly Karg[],
  fromImage: readonly Karg[],
  toImage: readonly Karg[],
): readonly Karg[] {
  const removed = removeKargs(fromImage, toImage);
  const added = removeKargs(toImage, fromImage);
  return addKargs(removeKargs(current, removed), added);
}

function parseKargsFile({ name, text }: KargsFile, arch: string): readonly Karg[] {
  const where = `kargs.d file \`${name}\``;
  const { kargs, "match-architectures": architectures, ...unknown } = parseToml(where, text);
  const [surprise] = Object.keys(unknown);
  if (surprise !== undefined) throw new BootcError(`${where} has an unknown key, \`${surprise}\``);
  if (!isStringList(kargs)) throw new BootcError(`${where} lacks \`kargs\`, a list of strings`);
  if (architectures !== undefined && !isStringList(architectures)) {
    throw new BootcError(`\`match-architectures\` in ${where} is not a list of strings`);
  }
  const names = namesOfArchitecture(arch);
  if (architectures !== undefined && !architectures.some((it) => names.includes(it))) return [];
  return kargs.flatMap(parseKargs);
}

function isStringList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((it) => typeof it === "string");
}
