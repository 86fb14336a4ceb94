// A digest of everything that verbs see on a disk: states that differ only in what a file system ignores have the same,
// and are judged once.
import { attempt } from "../vm/shell.ts";
import { FILE_SYSTEMS, type Layout, type Part } from "./file-systems.ts";
import { TREE_TAR } from "./system-facts.ts";

export interface View {
  /** Of what a boot loader sees before the file systems are mounted, and of all that is there afterwards. */
  readonly digest: string;
  /** It could be mounted only after a repair that a person has to ask for. */
  readonly isRepaired: boolean;
  /** What the file systems' own checks complain about after that, which no program above them can cause. */
  readonly complaints: readonly string[];
}

const UNMOUNTABLE = 3;
const SUM = "b2sum --length=128";

/** A shell script that mounts the disk `$1` below `$2`, and prints a line for each finding. */
function script({ root, boot }: Layout): string {
  const loader = boot === undefined ? "root" : "boot";
  const { type } = boot ?? root;
  const asItIs = `mount -t ${type} -o ${FILE_SYSTEMS[type].asItIs} "$${loader}" "$2/raw"`;
  const parts = [
    { name: "root", part: root, at: "root" },
    ...(boot === undefined ? [] : [{ name: "boot", part: boot, at: "root/boot" }]),
  ];
  return [
    "root= boot=",
    `trap 'for it in $root $boot; do losetup --detach $it; done' EXIT`,
    ...parts.map(({ name, part }) => attachLine(name, part)),
    `if ${asItIs} 2>/dev/null; then`,
    // GRUB may read what the kernel refuses, so such a disk is like no other one.
    shown("loader", "raw", boot === undefined ? "boot" : ".", `${SUM} <"$${loader}"`),
    `umount "$2/raw"; else echo "loader $(${SUM} <"$${loader}")"; fi`,
    ...parts.flatMap(mountLines),
    shown("root", "root", ".", "echo failed"),
    'umount --recursive "$2/root"',
    ...parts.map(checkLine),
  ].join("\n");
}

interface Named {
  /** The shell variable of the part's device. */
  readonly name: string;
  readonly part: Part;
  readonly at: string;
}

function attachLine(name: string, { offset, bytes }: Part): string {
  const place = `--offset=${offset} --sizelimit=${bytes}`;
  return `${name}=$(losetup --find --show ${place} "$1") || exit 4`;
}

function shown(what: string, at: string, names: string, otherwise: string): string {
  const tar = `${TREE_TAR} --directory "$2/${at}" ${names} 2>&1`;
  return `echo "${what} $({ ${tar} || ${otherwise}; } | ${SUM})"`;
}

function mountLines({ name, part: { type }, at }: Named): readonly string[] {
  const mount = `mount -t ${type} -o ${FILE_SYSTEMS[type].options} "$${name}" "$2/${at}"`;
  const repair = FILE_SYSTEMS[type].repair.join(" ");
  return [
    `if ! ${mount} 2>/dev/null; then`,
    `${repair} "$${name}" >/dev/null 2>&1; echo repaired`,
    `${mount} || exit ${UNMOUNTABLE}; fi`,
  ];
}

function checkLine({ name, part: { type } }: Named): string {
  const check = FILE_SYSTEMS[type].check.join(" ");
  return `said=$(${check} "$${name}" 2>&1) || echo "check $(echo "$said" | tr '\\n' ' ')"`;
}

/** Replays journals, as mounting does; `work` has the directories `raw` and `root`. */
export async function viewDisk(path: string, layout: Layout, work: string): Promise<View> {
  const words = ["--mount", "--propagation", "private", "sh", "-c", script(layout), "sh"];
  const { status, stdout, stderr } = await attempt("unshare", [...words, path, work]);
  const lines = stdout.split("\n").filter((it) => it !== "");
  const complaints = lines.filter((it) => it.startsWith("check ")).map((it) => it.slice(0, 500));
  // What cannot be mounted even after a repair, the judge reports.
  if (status !== 0 && status !== UNMOUNTABLE) {
    throw new Error(`the disk cannot be looked at: ${stderr.trim()}`);
  }
  const digests = lines.filter((it) => !it.startsWith("check "));
  const isRepaired = lines.includes("repaired");
  return {
    isRepaired,
    digest: digests.map((it) => it.split(" ").slice(0, 2).join("-")).join(" "),
    complaints,
  };
}
