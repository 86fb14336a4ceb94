// The kernel arguments of an installation: those that find the root, and the order of all others.
import { addKargs, areEqualKargs, type Karg, parseKargs, removeKey } from "../../host/kargs.ts";

export interface InstallKargs {
  /** Those that find the root file system. */
  readonly root: readonly Karg[];
  readonly config: readonly string[];
  readonly image: readonly Karg[];
  /** A key alone deletes every argument with that key, `key=value` only this one. */
  readonly deletes: readonly string[];
  /** Added last, so that a user can restore deleted ones. */
  readonly user: readonly string[];
}

export function orderKargs({ root, config, image, deletes, user }: InstallKargs): readonly Karg[] {
  const all = addKargs(addKargs(root, config.flatMap(parseKargs)), image);
  const kept = deletes.flatMap(parseKargs).reduce(deleteKarg, all);
  return addKargs(kept, user.flatMap(parseKargs));
}

function deleteKarg(kargs: readonly Karg[], karg: Karg): readonly Karg[] {
  if (!karg.includes("=")) return removeKey(kargs, karg);
  return kargs.filter((it) => !areEqualKargs(it, karg));
}

export interface RootSource {
  /** From the command line or the configuration. The empty string means no `root=`. */
  readonly spec: string | undefined;
  /** The running system's arguments, if that system is installed over. */
  readonly inherited: readonly Karg[] | undefined;
  readonly uuid: string;
  readonly type: string;
  /** The mounted subvolume of a btrfs. */
  readonly subvolume?: string | undefined;
}

/** The arguments with which an initramfs finds the root file system, ending in `rw`. */
export function decideRootKargs(source: RootSource): readonly Karg[] {
  const { spec, uuid, type, subvolume } = source;
  if (spec !== undefined) return spec === "" ? ["rw"] : [`root=${spec}`, "rw"];
  const inherited = source.inherited?.filter((it) => FINDS_ROOT.test(it)) ?? [];
  if (inherited.some((karg) => karg.startsWith("root="))) return [...inherited, "rw"];
  const isSubvolume = type === "btrfs" && subvolume !== undefined && subvolume !== "/";
  const hasFlags = inherited.some((karg) => karg.startsWith("rootflags="));
  const flags = isSubvolume && !hasFlags ? [`rootflags=subvol=${subvolume}`] : [];
  return [`root=UUID=${uuid}`, ...flags, ...inherited, "rw"];
}

/** What of a running system's arguments another deployment on the same root needs. */
export function keepRootKargs(kargs: readonly Karg[]): readonly Karg[] {
  // With selinux=0, the files of the machine have no labels.
  return kargs.filter((it) => FINDS_ROOT.test(it) || /^(boot=|selinux=0$|rw$|ro$)/.test(it));
}

/** Arguments of a running system with which an initramfs finds its root, and unlocks what that is on. */
// Of dracut, systemd, initramfs-tools and mkinitcpio.
const FINDS_ROOT = new RegExp(
  "^(root|rootfstype|rootflags|rootdelay|nfsroot|netroot|cryptdevice|cryptkey|cryptopts|" +
    "ip|ifname|nameserver|vlan|bond|team|bridge|bootdev|BOOTIF)=|" +
    "^rootwait(=|$)|^(rd|luks)\\.",
);
