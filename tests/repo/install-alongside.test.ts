// Installations beside an existing system whose ESP is not mounted. This kernel may lack FAT, so the ESP has an
// ext4 and is only an ESP by its partition type.
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  attach,
  bootcWith,
  dir,
  entryOf,
  missing,
  mount,
  newDisk,
  sh,
  tidyUp,
} from "./install-lab.ts";
import { makeInstallableImage } from "./installable-image.ts";

const ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
const LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4";

describe.skipIf(missing.length > 0)(
  `alongside${missing.length > 0 ? `: needs ${missing}` : ""}`,
  () => {
    let image: string;
    beforeAll(async () => {
      image = await makeInstallableImage(join(dir, "beside"), { version: "1", bootupd: "new" });
      const place = `graphroot = "${join(dir, "storage")}"\nrunroot = "${join(dir, "storage")}-run"\n`;
      await writeFile(join(dir, "storage.conf"), `[storage]\ndriver = "vfs"\n${place}`);
    });
    afterEach(tidyUp);

    /** A disk with partitions of these types; the last is a root that is mounted and in use. */
    async function oldSystem(name: string, ...types: readonly string[]) {
      const path = await newDisk(`${name}.raw`, 768);
      const input = `label: gpt\n${[...types, LINUX].map((it, i) => `${i < types.length ? "size=64MiB, " : ""}type=${it}\n`).join("")}`;
      execFileSync("sfdisk", ["--quiet", path], { input });
      const disk = attach(path, "--partscan");
      const nodes = [...types, LINUX].map((_, i) => `${disk}p${i + 1}`);
      if (!existsSync(nodes.at(-1) ?? "")) sh("partx", "--update", disk);
      const esps = nodes.slice(0, -1);
      for (const esp of esps) sh("mkfs.ext4", "-q", "-d", await espTree(), esp);
      sh("mkfs.ext4", "-q", nodes.at(-1) ?? "");
      const root = mount(nodes.at(-1) ?? "", name);
      mkdirSync(join(root, "boot"));
      await writeFile(join(root, "boot/vmlinuz-old"), "old");
      await writeFile(join(root, "old"), "old");
      return { root, esps };
    }

    /**
     * The content of the ESP. The file system is made with it, and never mounted here: a mount namespace that another
     * program makes meanwhile would copy the mount, and the ESP would be busy as long as that program runs.
     */
    async function espTree(): Promise<string> {
      const tree = join(dir, "esp");
      mkdirSync(join(tree, "EFI"), { recursive: true });
      await writeFile(join(tree, "EFI/old.efi"), "old");
      return tree;
    }

    function contentOf(esp: string): readonly string[] {
      const place = mount(esp, "look");
      return readdirSync(place).filter((it) => it !== "lost+found");
    }

    const install = (root: string, ...args: readonly string[]) => installFrom(image, root, ...args);
    const installFrom = (source: string, root: string, ...args: readonly string[]) => {
      const env = { CONTAINERS_STORAGE_CONF: join(dir, "storage.conf") };
      return bootcWith(env, "to-existing-root", "--source-imgref", source, ...args, root);
    };

    /** An image that is complete except for its layer. */
    async function breakLayer(): Promise<string> {
      const broken = join(dir, "broken");
      cpSync(join(dir, "beside"), broken, { recursive: true });
      const blobs = join(broken, "blobs/sha256");
      const sizeOf = (name: string) => statSync(join(blobs, name)).size;
      const [layer = ""] = readdirSync(blobs).sort((a, b) => sizeOf(b) - sizeOf(a));
      rmSync(join(blobs, layer));
      return `oci:${broken}:latest`;
    }

    async function bindUnknown(): Promise<string> {
      const path = "usr/share/containers/systemd/a.image";
      return await makeInstallableImage(join(dir, "unbound"), {
        version: "1",
        bootupd: "new",
        files: { [path]: "[Image]\nImage=localhost/no-such-image:1\n" },
        links: { "usr/lib/bootc/bound-images.d/a.image": `/${path}` },
      });
    }

    test.each([
      [
        "an image without a boot loader",
        () => makeInstallableImage(join(dir, "bare"), { version: "1" }),
        3,
        "bootupd is required",
      ],
      ["an image that cannot be fetched to its end", breakLayer, 1, "no such file"],
      ["an image that binds one nobody has", bindUnknown, 1, "is not in the container storage"],
    ])("%s is refused before any boot file is removed", async (_about, make, status, message) => {
      const { root, esps } = await oldSystem("refused", ESP);
      mkdirSync(join(root, "boot/efi"));
      mkdirSync(join(root, "boot/loader/entries"), { recursive: true });
      await writeFile(join(root, "boot/loader/entries/old.conf"), "old");
      const before = sh("find", join(root, "boot"));
      const refused = installFrom(await make(), root);
      expect([refused.status, refused.stderr]).toEqual([status, expect.stringContaining(message)]);
      expect(sh("find", join(root, "boot"))).toBe(before);
      expect(contentOf(esps[0] ?? "")).toEqual(["EFI"]);
      // The old system is not taken for an ostree system, whose entries would stay.
      const ran = install(root);
      expect([ran.status, ran.stderr]).toEqual([0, expect.stringContaining("complete")]);
      expect(sh("find", join(root, "boot"))).not.toContain("old");
      expect(entryOf(root)).toContain("ostree=");
    });

    test.skipIf(process.arch !== "x64")(
      "GRUB that has no one disk to go on is refused before a boot file is gone",
      async () => {
        const { root, esps } = await oldSystem("two-disks", ESP);
        const [esp = ""] = esps;
        mkdirSync(join(root, "boot/efi"));
        mount(esp, "two-disks/boot/efi");
        const grub = await makeInstallableImage(join(dir, "grub"), {
          version: "1",
          files: { "usr/lib/grub/i386-pc/syslinuxcfg.mod": "", "usr/sbin/grub-install": "" },
        });
        // A stand-in for lsblk reports a root on two disks.
        const bin = join(dir, "two-disks-bin");
        mkdirSync(bin);
        const lsblk = "#!/bin/sh\necho '/dev/one disk'\necho '/dev/other disk'\n";
        await writeFile(join(bin, "lsblk"), lsblk, { mode: 0o755 });
        const before = sh("find", join(root, "boot"));
        const args = ["to-existing-root", "--source-imgref", grub, "--generic-image", root];
        const ran = bootcWith({ PATH: `${bin}:${process.env.PATH}` }, ...args);
        expect([ran.status, ran.stderr]).toEqual([
          3,
          expect.stringContaining("error: GRUB needs exactly one disk below the root"),
        ]);
        expect(sh("find", join(root, "boot"))).toBe(before);
      },
    );

    test("something else mounted in /boot, however deep, is refused, and nothing is touched", async () => {
      const { root } = await oldSystem("deep-mount");
      const inside = join(root, "boot/data/mnt");
      mkdirSync(inside, { recursive: true });
      sh("mount", "-t", "tmpfs", "tmpfs", inside);
      const before = sh("find", root);
      const ran = install(root);
      expect([ran.status, ran.stderr]).toEqual([
        9,
        expect.stringContaining(
          `error: \`${inside}\` is mounted inside the \`/boot\` to be emptied\n` +
            "hint: unmount it first\n",
        ),
      ]);
      expect(sh("find", root)).toBe(before);
    });

    test("the ESP of the disk is mounted for the boot loader, emptied before, and left after", async () => {
      const { root, esps } = await oldSystem("beside-esp", ESP);
      const [esp = ""] = esps;
      const ran = install(root);
      expect([ran.status, ran.stderr]).toEqual([0, expect.stringContaining("complete")]);
      expect(ran.stderr).toContain(`EFI system partition: ${esp}\n`);
      expect(ran.stderr).toContain("Wiping contents of /boot: vmlinuz-old\n");
      expect(ran.stderr).toMatch(
        /^Wiping contents of the ESP: (lost\+found, EFI|EFI, lost\+found)$/m,
      );
      expect(readFileSync(join(root, "old"), "utf8")).toBe("old");
      expect(existsSync(join(root, "boot/vmlinuz-old"))).toBe(false);
      expect(entryOf(root)).toContain("ostree=");
      expect(readdirSync(join(root, "boot/efi"))).toEqual([]);
      expect(contentOf(esp)).toEqual(["grubx64.efi"]);
    });

    test("without a boot loader the ESP is not mounted, and keeps what it has", async () => {
      const { root, esps } = await oldSystem("kept-esp", ESP);
      const ran = install(root, "--bootloader", "none");
      expect([ran.status, ran.stderr]).toEqual([0, expect.stringContaining("complete")]);
      expect(existsSync(join(root, "boot/vmlinuz-old"))).toBe(false);
      expect(contentOf(esps[0] ?? "")).toEqual(["EFI"]);
    });

    test("if there are several ESPs, none is used and nothing is touched", async () => {
      const { root, esps } = await oldSystem("two-esps", ESP, ESP);
      const before = sh("find", root);
      const ran = install(root);
      expect(ran.status).toBe(3);
      expect(ran.stderr).toContain(
        `error: there are several EFI system partitions: ${esps.join(", ")}\n` +
          "hint: mount the right one at /boot/efi of the root, or give `--bootloader none`\n",
      );
      expect(sh("find", root)).toBe(before);
      expect(contentOf(esps[0] ?? "")).toEqual(["EFI"]);
    });

    test("a mounted ESP is used, whatever other ESPs exist", async () => {
      const { root, esps } = await oldSystem("mounted-esp", ESP, ESP);
      const [, second = ""] = esps;
      mkdirSync(join(root, "boot/efi"));
      const place = mount(second, "mounted-esp/boot/efi");
      const ran = install(root, "--verbose");
      expect([ran.status, ran.stderr]).toEqual([0, expect.stringContaining("complete")]);
      // Nobody unmounts them before the machine restarts.
      const flushed = [root, join(root, "boot"), place].map((it) => `+ sync --file-system ${it}\n`);
      expect(ran.stderr).toContain(`${flushed.join("")}Installation complete!\n`);
      expect(readdirSync(place)).toEqual(["grubx64.efi"]);
      expect(contentOf(esps[0] ?? "")).toEqual(["EFI"]);
    });

    test("a disk that starts by BIOS needs no ESP", async () => {
      const { root } = await oldSystem("no-esp");
      const ran = install(root);
      expect([ran.status, ran.stderr]).toEqual([0, expect.stringContaining("complete")]);
      expect(existsSync(join(root, "boot/efi"))).toBe(false);
    });

    test("an ESP that cannot be mounted: nothing is touched", async () => {
      const { root, esps } = await oldSystem("bad-esp", ESP);
      sh("wipefs", "--all", "--quiet", esps[0] ?? "");
      const ran = install(root);
      expect(ran.status).toBe(1);
      expect(ran.stderr).toContain("error: mounting the EFI system partition: ");
      expect(readFileSync(join(root, "boot/vmlinuz-old"), "utf8")).toBe("old");
      expect(existsSync(join(root, "ostree"))).toBe(false);
    });
  },
);
