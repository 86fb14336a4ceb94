// `bootc container inspect`: the kernel and the kernel arguments of an image.
import { formatYaml } from "../../format/yaml-out.ts";
import { collectKargs } from "../../host/image-kargs.ts";
import { readKernel } from "../../lint/read/kernel.ts";
import { requireRootDirectory } from "../../lint/read/subject.ts";
import { readKargsFiles } from "../../sysroot/image-kargs.ts";
import type { Context } from "../../system/context.ts";
import { openDirectory } from "../../system/root/file-tree.ts";

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
