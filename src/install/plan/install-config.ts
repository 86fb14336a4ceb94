// The image's configuration of its installation: `/usr/lib/bootc/install/*.toml`, merged.
import { BootcError } from "../../errors.ts";
import { formatCanonicalJson } from "../../format/canonical-json.ts";
import { parseToml } from "../../format/toml-file.ts";
import { namesOfArchitecture } from "../../host/image-kargs.ts";
import {
  BLOCK_SETUPS,
  type BlockSetup,
  BOOTLOADERS,
  type Bootloader,
  FILESYSTEMS,
  type FilesystemType,
} from "./choices.ts";

/** The merged configuration, with the keys of the files. */
export interface InstallConfig {
  readonly "root-fs-type"?: FilesystemType;
  readonly block?: readonly BlockSetup[];
  readonly kargs?: readonly string[];
  readonly "karg-deletes"?: readonly string[];
  readonly "match-architectures"?: readonly string[];
  readonly "bls-append-except-default"?: string;
  readonly stateroot?: string;
  /** The empty string means no `root=` at all. */
  readonly "root-mount-spec"?: string;
  readonly "boot-mount-spec"?: string;
  readonly "skip-boot-uuid"?: boolean;
  readonly bootloader?: Bootloader;
  readonly "discoverable-partitions"?: boolean;
  readonly "enforce-container-sigpolicy"?: boolean;
}

export interface ConfigFile {
  readonly path: string;
  readonly text: string;
}

export interface MergedConfig {
  /** Undefined if no file applies. */
  readonly config: InstallConfig | undefined;
  readonly warnings: readonly string[];
}

/** Merges files in the given order, without those for other architectures. Node names `arch`. */
export function mergeInstallConfig(files: readonly ConfigFile[], arch: string): MergedConfig {
  const warnings: string[] = [];
  let config: InstallConfig | undefined;
  for (const file of files) {
    const parsed = parseInstallConfig(file, (text) => warnings.push(text));
    const only = parsed["match-architectures"];
    if (only && !only.some((it) => namesOfArchitecture(arch).includes(it))) continue;
    config = merge(config ?? {}, parsed);
  }
  // Any configuration at all makes `direct` the default.
  if (config !== undefined && config.block === undefined) config = { ...config, block: ["direct"] };
  return { config, warnings };
}

/** The later file wins, except that lists of kernel arguments add up. */
function merge(base: InstallConfig, over: InstallConfig): InstallConfig {
  const merged: Record<string, unknown> = { ...base, ...over };
  for (const key of ["kargs", "karg-deletes"] as const) {
    if (base[key] && over[key]) merged[key] = [...base[key], ...over[key]];
  }
  return merged;
}

/** Canonical JSON of the merged configuration; kernel arguments only when `isComplete`. */
export function formatInstallConfig(
  config: InstallConfig | undefined,
  isComplete: boolean,
): string {
  const given = config ?? {};
  const type = given["root-fs-type"];
  const bls = given["bls-append-except-default"];
  const skip = given["skip-boot-uuid"];
  const kargs = isComplete ? { kargs: given.kargs, "karg-deletes": given["karg-deletes"] } : {};
  return formatCanonicalJson({
    "root-fs-type": type ?? null,
    block: given.block ?? null,
    filesystem: type === undefined ? null : { root: { type } },
    ...kargs,
    "match-architectures": given["match-architectures"] ?? null,
    ostree: bls === undefined ? null : { "bls-append-except-default": bls },
    stateroot: given.stateroot ?? null,
    "root-mount-spec": given["root-mount-spec"] ?? null,
    "boot-mount-spec": given["boot-mount-spec"] ?? null,
    bootupd: skip === undefined ? null : { "skip-boot-uuid": skip },
    bootloader: given.bootloader ?? null,
    "discoverable-partitions": given["discoverable-partitions"] ?? null,
    "enforce-container-sigpolicy": given["enforce-container-sigpolicy"] ?? null,
  });
}

type Table = Readonly<Record<string, unknown>>;
type Check = (value: unknown) => boolean;

const isString: Check = (it) => typeof it === "string";
const isFlag: Check = (it) => typeof it === "boolean";
const isTable: Check = (it) => typeof it === "object" && it !== null && !Array.isArray(it);
const isOneOf =
  (names: readonly string[]): Check =>
  (it) =>
    names.includes(it as string);
const isListOf =
  (check: Check): Check =>
  (it) =>
    Array.isArray(it) && it.every(check);

/** Keys of `[install]`: what each value must be, in words and as a test. */
const KEYS: Readonly<Record<string, readonly [what: string, check: Check]>> = {
  "root-fs-type": ["one of xfs, ext4, btrfs", isOneOf(FILESYSTEMS)],
  filesystem: ["a table", isTable],
  block: ["a list of direct, tpm2-luks", isListOf(isOneOf(BLOCK_SETUPS))],
  kargs: ["a list of strings", isListOf(isString)],
  "karg-deletes": ["a list of strings", isListOf(isString)],
  "match-architectures": ["a list of strings", isListOf(isString)],
  ostree: ["a table", isTable],
  stateroot: ["a string", isString],
  "root-mount-spec": ["a string", isString],
  "boot-mount-spec": ["a string", isString],
  bootupd: ["a table", isTable],
  bootloader: ["one of grub, grub-cc, systemd, none", isOneOf(BOOTLOADERS)],
  "discoverable-partitions": ["true or false", isFlag],
  "enforce-container-sigpolicy": ["true or false", isFlag],
};

function parseInstallConfig(file: ConfigFile, warn: (text: string) => void): InstallConfig {
  const { install = {}, ...others } = parseToml(`\`${file.path}\``, file.text);
  requireNoKeys(file, others, "");
  requireValue(file, "install", ["a table", isTable], install);
  const table = install as Table;
  const plain: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(table)) {
    const rule = KEYS[key];
    if (rule === undefined) throw unknownKey(file, `install.${key}`);
    requireValue(file, `install.${key}`, rule, value);
    if (!isTable(value)) plain[key] = value;
  }
  return {
    ...(plain as InstallConfig),
    ...parseFilesystemTable(file, table.filesystem as Table | undefined),
    ...parseOstreeTable(file, table.ostree as Table | undefined, warn),
    ...parseBootupdTable(file, table.bootupd as Table | undefined),
  };
}

/** `filesystem.root.type` and `root-fs-type` are spellings of one key; the longer takes precedence. */
function parseFilesystemTable(
  file: ConfigFile,
  table: Table = {},
): Pick<InstallConfig, "root-fs-type"> {
  const { root, ...others } = table;
  requireNoKeys(file, others, "install.filesystem.");
  if (root === undefined) return {};
  requireValue(file, "install.filesystem.root", ["a table", isTable], root);
  const { type, ...more } = root as Table;
  requireNoKeys(file, more, "install.filesystem.root.");
  if (type === undefined) return {};
  const rule = ["one of xfs, ext4, btrfs", isOneOf(FILESYSTEMS)] as const;
  requireValue(file, "install.filesystem.root.type", rule, type);
  return { "root-fs-type": type as FilesystemType };
}

function parseOstreeTable(
  file: ConfigFile,
  table: Table = {},
  warn: (text: string) => void,
): Pick<InstallConfig, "bls-append-except-default"> {
  const { "bls-append-except-default": bls, ...others } = table;
  for (const key of Object.keys(others)) {
    warn(`warning: "${file.path}": Unknown key install.ostree.${key}`);
  }
  if (bls === undefined) return {};
  requireValue(file, "install.ostree.bls-append-except-default", ["a string", isString], bls);
  return { "bls-append-except-default": bls as string };
}

function parseBootupdTable(
  file: ConfigFile,
  table: Table = {},
): Pick<InstallConfig, "skip-boot-uuid"> {
  const { "skip-boot-uuid": skip, ...others } = table;
  requireNoKeys(file, others, "install.bootupd.");
  if (skip === undefined) return {};
  requireValue(file, "install.bootupd.skip-boot-uuid", ["true or false", isFlag], skip);
  return { "skip-boot-uuid": skip as boolean };
}

function requireValue(
  { path }: ConfigFile,
  key: string,
  [what, check]: readonly [what: string, check: Check],
  value: unknown,
): void {
  if (!check(value)) throw new BootcError(`\`${path}\`: \`${key}\` is not ${what}`);
}

function requireNoKeys(file: ConfigFile, table: Table, prefix: string): void {
  const [key] = Object.keys(table);
  if (key !== undefined) throw unknownKey(file, `${prefix}${key}`);
}

function unknownKey({ path }: ConfigFile, key: string): BootcError {
  const known = Object.keys(KEYS).join(", ");
  return new BootcError(`\`${path}\`: unknown key \`${key}\``, {
    hint: `keys of \`[install]\` are ${known}`,
  });
}
