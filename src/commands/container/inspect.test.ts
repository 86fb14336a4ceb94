import { expect, test } from "vitest";
import { makeImageRoot, type Placement } from "../../testing/image-root.ts";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { type InspectOptions, inspectContainer } from "./inspect.ts";

const KARGS: Placement = {
  "usr/lib/bootc/kargs.d/10.toml": 'kargs = ["console=ttyS0,115200n8", "quiet splash"]\n',
};

async function inspect(changes: Placement, options: Partial<InspectOptions> = {}): Promise<string> {
  const rootfs = await makeImageRoot(changes);
  const { ctx, transcript } = scriptedContext("/nonexistent", []);
  await inspectContainer(ctx, { rootfs, ...options });
  return transcript();
}

test("for people: labels are aligned to the right", async () => {
  expect(await inspect(KARGS)).toBe(`
> Kernel: 6.12.0
  Type: vmlinuz
 Kargs: console=ttyS0,115200n8 quiet splash
`);
  expect(await inspect({ "usr/lib/modules/6.12.0": null, "usr/lib": { dir: 0o755 } })).toBe(`
> Kernel: <none>
 Kargs: <none>
`);
});

test("a unified kernel comes first, the first of several", async () => {
  const changes = {
    "boot/EFI/Linux/b.efi": "",
    "boot/EFI/Linux/a-1.efi": "",
    "boot/EFI/Linux/x": "",
  };
  expect(await inspect({ ...changes, "usr/lib/modules/7/vmlinuz": "" })).toBe(`
> Kernel: a-1
  Type: UKI
 Kargs: <none>
`);
});

test("for programs: JSON and YAML", async () => {
  const document = {
    kargs: ["console=ttyS0,115200n8", "quiet", "splash"],
    kernel: { version: "6.12.0", unified: false },
  };
  const json = `\n> ${JSON.stringify(document, null, 2)}\n`;
  expect(await inspect(KARGS, { json: true })).toBe(json);
  expect(await inspect(KARGS, { format: "json" })).toBe(json);
  expect(await inspect(KARGS, { format: "yaml" })).toBe(`
> kargs:
  - console=ttyS0,115200n8
  - quiet
  - splash
kernel:
  version: 6.12.0
  unified: false
`);
  const nothing = { "usr/lib/modules/6.12.0": null, "usr/lib": { dir: 0o755 } };
  expect(await inspect(nothing, { json: true })).toBe(
    '\n> {\n  "kargs": [],\n  "kernel": null\n}\n',
  );
});

test("two kernels are an error", async () => {
  await expect(inspect({ "usr/lib/modules/7/vmlinuz": "" })).rejects.toThrow(
    "Found multiple subdirectories in usr/lib/modules",
  );
});

test("links are followed inside the root", async () => {
  const changes = {
    "usr/lib/modules": { link: "/usr/share/modules" },
    "usr/share/modules/5/vmlinuz": { link: "/../../usr/lib/kernel" },
    "usr/lib/kernel": "",
  };
  const clean = {
    "usr/lib/modules/6.12.0/vmlinuz": null,
    "usr/lib/modules/6.12.0/modules.dep": null,
    "usr/lib/modules/6.12.0/kernel/a.ko": null,
    "usr/lib/modules/6.12.0/initramfs.img": null,
  };
  expect(await inspect({ ...clean, ...changes }, { json: true })).toContain('"version": "5"');
});
