// `bootc container inspect`: the kernel and the kernel arguments of an image.
import { stat } from "node:fs/promises";
import { formatYaml } from "../../format/yaml-out.ts";
import { collectKargs } from "../../host/image-kargs.ts";
import { decideKernel, type Kernel, MODULES_DIR, UNIFIED_DIR } from "../../lint/kernel.ts";
import { requireRootDirectory } from "../../lint/read/subject.ts";
import { readKargsFiles } from "../../sysroot/image-kargs.ts";
import type { Context } from "../../system/context.ts";
import { openDirectory } from "../../system/file-tree.ts";
import { ifMissing } from "../../system/files.ts";
import { resolveInRoot } from "../../system/in-root.ts";

export interface InspectOptions {
  readonly rootfs: string;
  readonly json?: boolean;
  readonly format?: "humanreadable" | "yaml" | "json";
}

interface Inspection {
  readonly kargs: readonly string[];
  readonly kernel: { readonly version: string; readonly unified: boolean } | null;
}

export async function inspectContainer(ctx: Context, options: InspectOptions): Promise<void> {
  const root = await requireRootDirectory(options.rootfs);
  const kernel = await readKernel(root);
  const inspection: Inspection = {
    kargs: collectKargs(await readKargsFiles(openDirectory(root)), process.arch),
    kernel: kernel === undefined ? null : { version: kernel.version, unified: kernel.isUnified },
  };
  ctx.say(formatInspection(inspection, options));
}

async function readKernel(root: string): Promise<Kernel | undefined> {
  const tree = openDirectory(root);
  const versions: string[] = [];
  for (const name of await tree.readNames(MODULES_DIR)) {
    const path = await resolveInRoot(root, `${MODULES_DIR}/${name}/vmlinuz`);
    const found = await stat(path).catch(ifMissing(undefined));
    if (found?.isFile()) versions.push(name);
  }
  return decideKernel({ unified: await tree.readNames(UNIFIED_DIR), versions });
}

function formatInspection(inspection: Inspection, { json, format }: InspectOptions): string {
  switch (json === true ? "json" : (format ?? "humanreadable")) {
    case "json":
      return JSON.stringify(inspection, null, 2);
    case "yaml":
      return formatYaml(inspection);
    case "humanreadable":
      return formatRows(inspection);
  }
}

function formatRows({ kernel, kargs }: Inspection): string {
  const rows: readonly (readonly [label: string, value: string])[] = [
    ["Kernel", kernel?.version ?? "<none>"],
    ...(kernel === null ? [] : ([["Type", kernel.unified ? "UKI" : "vmlinuz"]] as const)),
    ["Kargs", kargs.length === 0 ? "<none>" : kargs.join(" ")],
  ];
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, value]) => `${label.padStart(width)}: ${value}`).join("\n");
}
