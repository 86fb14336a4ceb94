// A digest of everything that verbs see on a disk: states that differ only in what a file system ignores have the same,
// and are judged once.
import { attempt } from "../vm/shell.ts";
import { FILE_SYSTEMS, type Layout, mountOptions, type Part } from "./file-systems.ts";
import { TREE_TAR } from "./system-facts.ts";

export interface View {
  /** Of what a boot loader sees before the file systems are mounted, and of all that is there afterwards. */
  readonly digest: string;
  /** It could be mounted only after a repair that a person has to ask for. */
  readonly isRepaired: boolean;
  /** What the file systems' own checks complain about after that. */
  readonly problems: readonly string[];
}

const SUM = "b2sum --length=128";

/** A shell script that mounts the disk `$1` below `$2`, and prints a line for each finding. */
function script(layout: Layout): string {
  const { root, boot } = layout;
  const loader = boot ?? root;
  const mount = (part: Part, options: string, at: string) =>
    `mount -t ${part.type} -o ${mountOptions(part, options)} "$1" "$2/${at}"`;
  const shown = (what: string, at: string, names: string) =>
    `echo "${what} $({ ${TREE_TAR} --directory "$2/${at}" ${names} 2>&1 || echo failed; } | ${SUM})"`;
  const asItIs = mount(loader, FILE_SYSTEMS[loader.type].asItIs, "raw");
  return [
    `trap 'test -z "$device" || losetup --detach "$device"' EXIT`,
    "device=",
    `if ${asItIs} 2>/dev/null; then`,
    shown("loader", "raw", boot === undefined ? "boot" : "."),
    'umount "$2/raw"; else echo "loader cannot be mounted"; fi',
    ...mountLines(root, mount(root, FILE_SYSTEMS[root.type].options, "root")),
    ...(boot === undefined
      ? []
      : mountLines(boot, mount(boot, FILE_SYSTEMS[boot.type].options, "root/boot"))),
    shown("root", "root", "."),
    'umount --recursive "$2/root"',
    ...[root, boot].flatMap((it) => (it === undefined ? [] : checkLines(it))),
  ].join("\n");
}

function mountLines(part: Part, mount: string): readonly string[] {
  const repair = FILE_SYSTEMS[part.type].repair.join(" ");
  return [
    `if ! ${mount} 2>/dev/null; then`,
    ...[attachLine(part), `${repair} "$device" >/dev/null 2>&1`, DETACH, "echo repaired"],
    `${mount} || exit 3; fi`,
  ];
}

function checkLines(part: Part): readonly string[] {
  const check = FILE_SYSTEMS[part.type].check.join(" ");
  return [
    attachLine(part),
    `said=$(${check} "$device" 2>&1) || echo "check $(echo "$said" | tr '\\n' ' ')"`,
    DETACH,
  ];
}

function attachLine({ offset, bytes }: Part): string {
  const place = `--offset=${offset} --sizelimit=${bytes}`;
  return `device=$(losetup --find --show ${place} "$1") || exit 4`;
}

const DETACH = 'losetup --detach "$device"; device=';

/** Replays journals, as mounting does; `work` has the directories `raw` and `root`. */
export async function viewDisk(path: string, layout: Layout, work: string): Promise<View> {
  const words = ["--mount", "--propagation", "private", "sh", "-c", script(layout), "sh"];
  const { status, stdout, stderr } = await attempt("unshare", [...words, path, work]);
  const lines = stdout.split("\n").filter((it) => it !== "");
  const problems = lines.filter((it) => it.startsWith("check ")).map((it) => it.slice(0, 500));
  if (status !== 0) problems.push(`it cannot be mounted: ${stderr.trim()}`);
  const digests = lines.filter((it) => !it.startsWith("check "));
  const isRepaired = lines.includes("repaired");
  return {
    isRepaired,
    digest: digests.map((it) => it.split(" ").slice(0, 2).join("-")).join(" "),
    problems,
  };
}
