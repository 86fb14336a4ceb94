import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeImageRoot, type Placement } from "../../testing/image-root.ts";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { splitKernelAndRootfs } from "./split-kernel-and-rootfs.ts";

async function split(changes: Placement = {}) {
  const rootfs = await makeImageRoot(changes);
  const output = join(rootfs, "srv");
  const { ctx, transcript } = scriptedContext("/nonexistent", []);
  await splitKernelAndRootfs(ctx, { rootfs, output });
  return { rootfs, output, said: transcript().replaceAll(output, "OUTPUT") };
}

test("both files are moved, and everything else stays", async () => {
  const { rootfs, output, said } = await split();
  expect(readdirSync(join(output, "6.12.0"))).toEqual(["initramfs.img", "vmlinuz"]);
  expect(readFileSync(join(output, "6.12.0/vmlinuz"), "utf8")).toBe("kernel");
  expect(readdirSync(join(rootfs, "usr/lib/modules/6.12.0"))).toEqual(["kernel", "modules.dep"]);
  expect(said).toBe("\n! Moved the kernel 6.12.0 to OUTPUT/6.12.0\n");
});

const DIR = "usr/lib/modules/6.12.0";

test.each<[string, Placement, string]>([
  ["no kernel", { [`${DIR}/vmlinuz`]: null }, "No kernel found in rootfs"],
  ["a unified kernel", { "boot/EFI/Linux/a.efi": "" }, "UKIs are not supported"],
  [
    "no initramfs",
    { [`${DIR}/initramfs.img`]: null },
    `\`/${DIR}/initramfs.img\` is missing in the rootfs`,
  ],
  [
    "a kernel that is a link out of the root",
    { [`${DIR}/vmlinuz`]: { link: "../../../../../../../../etc/passwd" }, "etc/passwd": null },
    "No kernel found in rootfs",
  ],
])("%s is an error", async (_, changes, message) => {
  await expect(split(changes)).rejects.toThrow(message);
});

test("what exists is not replaced", async () => {
  const { rootfs, output } = await split();
  const again = await makeImageRoot();
  const { ctx } = scriptedContext("/nonexistent", []);
  await expect(splitKernelAndRootfs(ctx, { rootfs: again, output })).rejects.toThrow(
    "already exists",
  );
  expect(readdirSync(join(again, DIR))).toContain("vmlinuz");
  expect(readdirSync(join(rootfs, DIR))).not.toContain("vmlinuz");
});
