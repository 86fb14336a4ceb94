// `bootc image list`: list the images of this host, and those bound to the running one.
import { readBoundImages } from "../../deploy/bound-images/find.ts";
import { listMachineStorage } from "../../deploy/bound-images/storage.ts";
import { BootcError } from "../../errors.ts";
import { listStoredImages } from "../../repository/images.ts";
import { readHostKind } from "../../sysroot/host-kind.ts";
import { systemRepo } from "../../sysroot/sysroot.ts";
import type { Context } from "../../system/context.ts";

export interface HostImageListOptions {
  readonly type: "all" | "logical" | "host";
  readonly format: "table" | "json";
}

/** `host`: in the repository; `unified`: in the host's container storage; `logical`: bound to `/`. */
interface ListedImage {
  readonly type: "host" | "unified" | "logical";
  readonly name: string;
}

export async function hostImageList(
  ctx: Context,
  { type, format }: HostImageListOptions,
): Promise<void> {
  const isBooted = (await readHostKind(ctx)) === "ostree";
  if (type === "host" && !isBooted) {
    throw new BootcError("Listing host images requires a booted bootc system", {
      kind: "unsupported",
      hint: "`--type logical` lists the bound images of a container image",
    });
  }
  const images = [
    ...(type !== "logical" && isBooted ? await readHostImages(ctx) : []),
    ...(type === "host" ? [] : await readLogicalImages(ctx)),
  ];
  ctx.write(format === "json" ? formatListJson(images) : formatListTable(images));
}

async function readHostImages(ctx: Context): Promise<readonly ListedImage[]> {
  const stored = await listStoredImages(systemRepo(ctx));
  const unified = (await listMachineStorage(ctx)).flatMap((it) => it.names);
  return [
    ...stored.map((name) => ({ type: "host", name }) as const),
    ...unified.map((name) => ({ type: "unified", name }) as const),
  ];
}

async function readLogicalImages(ctx: Context): Promise<readonly ListedImage[]> {
  const names = await readBoundImages(ctx.root);
  return names.map((name) => ({ type: "logical", name }));
}

/** The keys are those that other implementations print. */
function formatListJson(images: readonly ListedImage[]): string {
  const entries = images.map(({ type, name }) => ({ image_type: type, image: name }));
  return `${JSON.stringify(entries, undefined, 2)}\n`;
}

function formatListTable(images: readonly ListedImage[]): string {
  const rows = [["REPOSITORY", "TYPE"], ...images.map(({ type, name }) => [name, type])];
  const width = Math.max(...rows.map(([name = ""]) => name.length));
  return rows.map(([name = "", type = ""]) => `${name.padEnd(width)}  ${type}\n`).join("");
}
