// Decisions of an installation: kernel arguments, mounts, partitions, boot loader. Nothing is touched.
import { BootcError } from "../../errors.ts";
import { addKargs, areEqualKargs, type Karg, parseKargs, removeKey } from "../../host/kargs.ts";

export interface InstallKargs {
  /** What finds the root file system. */
  readonly root: readonly Karg[];
  readonly config: readonly string[];
  readonly image: readonly Karg[];
  /** A key alone drops every argument with it, `key=value` only that one. */
  readonly deletes: readonly string[];
  /** Last of all, so that a user can put back what was deleted. */
  readonly user: readonly string[];
}

export function orderKargs(it: InstallKargs): readonly Karg[] {
  const all = addKargs(addKargs(it.root, it.config.flatMap(parseKargs)), it.image);
  const kept = it.deletes.flatMap(parseKargs).reduce(deleteKarg, all);
  return addKargs(kept, it.user.flatMap(parseKargs));
}

function deleteKarg(kargs: readonly Karg[], karg: Karg): readonly Karg[] {
  if (!karg.includes("=")) return removeKey(kargs, karg);
  return kargs.filter((it) => !areEqualKargs(it, karg));
}

/** A line of fstab without its last two numbers. */
export interface MountSpec {
  readonly source: string;
  readonly target: string;
  readonly type: string;
  readonly options: string;
}

/** Parses `SOURCE [TARGET [TYPE [OPTIONS]]]`; the target, when given, has to be `target`. */
export function parseMountSpec(text: string, target: string): MountSpec {
  const [source, where = target, type = "auto", options = "", ...rest] = text.trim().split(/\s+/);
  if (source === undefined || source === "" || rest.length > 0) {
    throw new BootcError(`\`${text}\` is no mount: want SOURCE [TARGET [TYPE [OPTIONS]]]`, {
      kind: "usage",
    });
  }
  if (where !== target) {
    throw new BootcError(`\`${text}\` mounts \`${where}\`, want \`${target}\``, { kind: "usage" });
  }
  return { source, target, type, options };
}

export function withMountOption(spec: MountSpec, option: string): MountSpec {
  const options = spec.options === "" ? [] : spec.options.split(",");
  return { ...spec, options: [...options.filter((it) => it !== option), option].join(",") };
}

export function formatFstabLine(it: MountSpec): string {
  return `${it.source} ${it.target} ${it.type} ${it.options || "defaults"} 0 0`;
}

/** The mount of `target` in the text of an fstab. */
export function findFstabMount(fstab: string, target: string): MountSpec | undefined {
  for (const line of fstab.split("\n")) {
    const [source = "", where, type = "auto", options = ""] = line.trim().split(/\s+/);
    if (where === target && !source.startsWith("#")) return { source, target, type, options };
  }
  return undefined;
}

/** An image's fstab with our line for `/boot` in place of its own; everything else stays. */
export function withFstabMount(fstab: string, spec: MountSpec): string {
  const kept = fstab.split("\n").filter((line) => {
    const [source = "", where] = line.trim().split(/\s+/);
    return source.startsWith("#") || where !== spec.target;
  });
  const text = kept.join("\n").trimEnd();
  return `${text}${text === "" ? "" : "\n"}${formatFstabLine(spec)}\n`;
}

export interface RootSource {
  /** Of the command line or the configuration; the empty string means: no `root=`. */
  readonly spec: string | undefined;
  /** The command line of the running system, when it is the one installed over. */
  readonly inherited: readonly Karg[] | undefined;
  readonly uuid: string;
  readonly type: string;
  /** The subvolume of a btrfs that is mounted. */
  readonly subvolume?: string | undefined;
}

/** The arguments with which an initramfs finds the root file system, ending in `rw`. */
export function decideRootKargs(it: RootSource): readonly Karg[] {
  if (it.spec !== undefined) return it.spec === "" ? ["rw"] : [`root=${it.spec}`, "rw"];
  const inherited = it.inherited?.filter((karg) => /^(root=|rootflags=|rd\.)/.test(karg)) ?? [];
  if (inherited.some((karg) => karg.startsWith("root="))) return [...inherited, "rw"];
  const isSubvolume = it.type === "btrfs" && it.subvolume !== undefined && it.subvolume !== "/";
  const flags = isSubvolume ? [`rootflags=subvol=${it.subvolume}`] : [];
  return [`root=UUID=${it.uuid}`, ...flags, "rw"];
}
