import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type ScriptLine, scriptedContext } from "../../testing/scripted-context.ts";
import { type GrubPlatform, installPlainGrub } from "./grub-install.ts";

const GRUB = "/usr/sbin/grub-install --target=";
const EFI = "x86_64-efi --boot-directory=/boot --efi-directory=/boot/efi";

interface Machine {
  readonly platforms: readonly GrubPlatform[];
  readonly isGeneric?: boolean;
  readonly hasVariables?: boolean;
  readonly hasEfibootmgr?: boolean;
}

async function install(machine: Machine, script: readonly ScriptLine[]) {
  const root = await mkdtemp(join(tmpdir(), "grub-"));
  const deployment = join(root, "deployment");
  const variables = join(root, "sys/firmware/efi/efivars");
  await mkdir(join(deployment, "usr/bin"), { recursive: true });
  await mkdir(join(deployment, "usr/lib"), { recursive: true });
  await writeFile(join(deployment, "usr/lib/os-release"), 'NAME="A"\nID=debian\n');
  await mkdir(variables, { recursive: true });
  if (machine.hasVariables) await writeFile(join(variables, "BootOrder"), "");
  if (machine.hasEfibootmgr) await writeFile(join(deployment, "usr/bin/efibootmgr"), "");
  const { ctx, transcript, requireAllUsed } = scriptedContext(root, script);
  await installPlainGrub(ctx, deployment, {
    program: "/usr/sbin/grub-install",
    platforms: machine.platforms,
    disk: "/dev/vda",
    physicalRoot: join(root, "target"),
    isGeneric: machine.isGeneric ?? false,
  });
  requireAllUsed();
  return { transcript: transcript(), root };
}

const onDeployment = (words: string): ScriptLine => [`+ chroot ROOT/deployment ${GRUB}${words}`];

test("one configuration serves a BIOS and EFI, and never changes", async () => {
  const { root } = await install({ platforms: ["i386-pc", "x86_64-efi"], isGeneric: true }, [
    onDeployment("i386-pc --boot-directory=/boot /dev/vda"),
    onDeployment(`${EFI} --removable`),
  ]);
  const text = await readFile(join(root, "target/boot/grub/grub.cfg"), "utf8");
  expect(text).toContain("syslinux_source");
});

test.each([
  [{ hasEfibootmgr: true }, "its variables are not visible here"],
  [{ hasVariables: true }, "the image has no efibootmgr"],
])(
  "EFI finds GRUB where firmware looks by itself, and %j is worth a warning",
  async (found, why) => {
    const machine = { platforms: ["x86_64-efi"], ...found } as const;
    const { transcript } = await install(machine, [onDeployment(`${EFI} --removable`)]);
    expect(transcript).toContain(`! warning: the firmware got no entry for GRUB: ${why}\n`);
  },
);

test("EFI of other machines finds GRUB where firmware looks by itself", async () => {
  const machine = { hasEfibootmgr: true, hasVariables: true, isGeneric: true };
  const { transcript } = await install({ platforms: ["x86_64-efi"], ...machine }, [
    onDeployment(`${EFI} --removable`),
  ]);
  expect(transcript).not.toContain("warning");
});

test("EFI of this machine gets an entry with the name of the distribution", async () => {
  const machine = { hasVariables: true, hasEfibootmgr: true };
  await install({ platforms: ["x86_64-efi"], ...machine }, [
    onDeployment(`${EFI} --removable`),
    onDeployment(`${EFI} --bootloader-id=debian`),
  ]);
});

test("a firmware without room for an entry is worth a warning", async () => {
  const machine = { hasVariables: true, hasEfibootmgr: true };
  const { transcript } = await install({ platforms: ["x86_64-efi"], ...machine }, [
    onDeployment(`${EFI} --removable`),
    [...onDeployment(`${EFI} --bootloader-id=debian`).slice(0, 1), new Error("no room")] as never,
  ]);
  expect(transcript).toContain("! warning: the firmware got no entry for GRUB: no room\n");
});
