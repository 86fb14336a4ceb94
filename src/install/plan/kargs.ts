// The kernel arguments of an installation: those that find the root, and the order of all others.
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
