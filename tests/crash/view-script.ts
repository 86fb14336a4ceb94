// The shell functions that look at a disk: what its file systems recover, everything that is on it then, and what their own
// checks say.
import { FILE_SYSTEMS, type Layout, type Part } from "./file-systems.ts";
import { TREE_TAR } from "./system-facts.ts";

/** The status when a file system cannot even be mounted after its repair. */
export const UNMOUNTABLE = 3;

export interface Devices {
  readonly root: string;
  readonly boot: string | undefined;
}

interface Named {
  /** The shell variable of the part's device. */
  readonly name: "root" | "boot";
  readonly part: Part;
  readonly at: string;
}

/**
 * `fresh` has the kernel forget what it keeps of the devices. `recover` mounts each file system read-only, which replays
 * its journal. `look` mounts them for writing and prints a line for each finding. Both begin afresh, repair what cannot
 * be mounted, and leave nothing mounted, however they end.
 */
export function viewScript({ root, boot }: Layout, devices: Devices, dir: string): string {
  const parts: readonly Named[] = [
    { name: "root", part: root, at: dir },
    ...(boot === undefined ? [] : [{ name: "boot" as const, part: boot, at: `${dir}/boot` }]),
  ];
  const all = parts.map(({ name }) => `$${name}`).join(" ");
  return [
    `root=${devices.root} boot=${devices.boot ?? ""}`,
    // What is read ahead would count as needed.
    `ahead() { for it in ${all}; do echo $1 >/sys/block/\${it#/dev/}/queue/read_ahead_kb; done; }`,
    `fresh() { for it in ${all}; do blockdev --flushbufs $it; done; }`,
    `leave() { ahead 0; if mountpoint --quiet ${dir}; then umount --recursive ${dir}; fi; }`,
    ...["recover() {", "trap leave EXIT", "fresh"],
    ...[...parts.flatMap((it) => recoverLines(it, dir)), "}"],
    ...["look() {", "trap leave EXIT", "fresh", "ahead 128", ...parts.flatMap(mountLines)],
    `echo "root $({ ${TREE_TAR} --directory ${dir} . 2>&1 || echo failed; } | b2sum --length=128)"`,
    ...["leave", ...parts.map(checkLine), "}"],
    "ahead 0",
  ].join("\n");
}

function recoverLines({ name, part: { type } }: Named, dir: string): readonly string[] {
  const { recovering } = FILE_SYSTEMS[type];
  return [...tryMount(name, { type, options: recovering, at: dir }), `umount ${dir}`];
}

function mountLines({ name, part: { type }, at }: Named): readonly string[] {
  return tryMount(name, { type, options: FILE_SYSTEMS[type].options, at });
}

interface MountOptions {
  readonly type: Part["type"];
  readonly options: string;
  readonly at: string;
}

function tryMount(name: string, { type, options, at }: MountOptions): readonly string[] {
  const mount = `mount -t ${type} -o ${options} $${name} ${at}`;
  const repair = FILE_SYSTEMS[type].repair.join(" ");
  return [
    `if ! ${mount} 2>/dev/null; then`,
    // Its status says whether there was something to repair; mounting shows whether it worked.
    `${repair} $${name} >/dev/null 2>&1 || true; echo repaired`,
    `${mount} 2>/dev/null || exit ${UNMOUNTABLE}; fi`,
  ];
}

function checkLine({ name, part: { type } }: Named): string {
  const check = FILE_SYSTEMS[type].check.join(" ");
  return `said=$(${check} $${name} 2>&1) || echo "check $(echo "$said" | tr '\\n' ' ')"`;
}
