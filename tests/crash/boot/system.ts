// The system that boots in user-mode Linux: Debian, `bootc` with its units, and the kernel of this machine's package
// `user-mode-linux`.
import { copyFileSync, cpSync, mkdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { cached, hashOf } from "../../vm/cache.ts";
import { makeRootfs } from "../../vm/images.ts";
import { sh } from "../../vm/shell.ts";
import { type BootParts, withTree } from "../images.ts";

const TOP = join(import.meta.dirname, "../../..");
const RECIPE = join(import.meta.dirname, "make-system.sh");

export async function makeBootSystem(executable: string): Promise<BootParts> {
  const rootfs = await makeRootfs({ suite: "trixie", packages: [] });
  const dir = await cached("uml", [await readFile(RECIPE), rootfs], async (temporary) => {
    await sh("bash", [RECIPE, temporary, rootfs]);
  });
  // The kernel is a program.
  const kernel = (await sh("sh", ["-c", "command -v linux.uml"])).trim();
  const parts = {
    layers: [await readFile(join(dir, "system.tar")), bootcLayer(executable)],
    kernel: await readFile(kernel),
    initramfs: await readFile(join(dir, "initramfs.img")),
  };
  return { ...parts, digest: hashOf([...parts.layers, parts.kernel, parts.initramfs]) };
}

/** The parts of the package that the system needs. */
function bootcLayer(executable: string): Buffer {
  return withTree((dir) => {
    cpSync(join(TOP, "packaging/rootfs"), dir, { recursive: true, verbatimSymlinks: true });
    for (const it of ["bound-images.d", "install"]) {
      mkdirSync(join(dir, "usr/lib/bootc", it), { recursive: true });
    }
    copyFileSync(executable, join(dir, "usr/bin/bootc"));
  });
}
