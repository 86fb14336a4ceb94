// An installation from inside a container of its own image: the host is in namespaces with its storage on a
// separate disk, and the container in it got nothing from the host. A stand-in for podman knows one digest.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  attach,
  deploymentOf,
  dir,
  entryOf,
  missing,
  newDisk,
  newRoot,
  sh,
  TOP,
  tidyUp,
} from "./install-lab.ts";
import { makeInstallableImage } from "./installable-image.ts";

const NAME = "localhost/own:1";

/** The host: a process 1 with private mounts. Its images are on `$DISK`, or in memory without a disk. */
const HOST = `set -e
mount --make-rprivate /
if [ "$DISK" ]; then mount "$DISK" /var/lib/containers; else mount -t tmpfs tmpfs /var/lib/containers; fi
[ "$IMAGE" ] && skopeo --insecure-policy copy --quiet "$IMAGE" "containers-storage:$NAME"
skopeo inspect --format '{{.Digest}}' "containers-storage:$NAME" > "$DIGEST"
unshare --mount sh "$CONTAINER" "$@"
`;

/** The container: other images, a separate /run, and podman's mark. */
const CONTAINER = `set -e
umount --recursive /var/lib/containers
mount -t tmpfs tmpfs /run
printf 'engine="podman-4.3.1"\\nimage="%s"\\nimageid="abc"\\n' "$NAME" > /run/.containerenv
mount -t overlay -o "lowerdir=$PREPARE:/usr/lib" overlay /usr/lib
"$@"
`;

const PODMAN = `#!/bin/sh
[ "$1 $2 $4" = "image inspect abc" ] && cat "$DIGEST"
`;

describe.skipIf(missing.length > 0)(
  `from a container${missing.length > 0 ? `: needs ${missing}` : ""}`,
  () => {
    let image: string;
    beforeAll(async () => {
      image = await makeInstallableImage(join(dir, "own"), { version: "1" });
      mkdirSync("/var/lib/containers", { recursive: true });
      for (const it of ["container-bin", "prepare/ostree"]) {
        mkdirSync(join(dir, it), { recursive: true });
      }
      await writeFile(join(dir, "container-bin/podman"), PODMAN, { mode: 0o755 });
      await writeFile(join(dir, "prepare/ostree/prepare-root.conf"), "[sysroot]\nreadonly=true\n");
      await writeFile(join(dir, "host.sh"), HOST);
      await writeFile(join(dir, "container.sh"), CONTAINER);
    });
    afterEach(tidyUp);

    function install(disk: string, root: string, bootloader = "none") {
      const words = ["--bootloader", bootloader, "--skip-finalize", root];
      const bootc = [process.execPath, join(TOP, "src/entry.ts"), "install", "to-filesystem"];
      const unshare = ["--mount", "--pid", "--fork", "--mount-proc", "sh", join(dir, "host.sh")];
      return spawnSync("unshare", [...unshare, ...bootc, ...words], {
        encoding: "utf8",
        env: {
          ...process.env,
          PATH: `${join(dir, "container-bin")}:${process.env.PATH}`,
          ...{ DISK: disk, IMAGE: image, NAME, DIGEST: join(dir, "digest") },
          ...{ CONTAINER: join(dir, "container.sh"), PREPARE: join(dir, "prepare") },
        },
      });
    }

    test("the host's images are visible even if the container did not get them", async () => {
      const disk = attach(await newDisk("containers.raw", 256));
      sh("mkfs.ext4", "-q", disk);
      const root = await newRoot("from-container");
      const ran = install(disk, root);
      expect([ran.status, ran.stderr]).toEqual([0, expect.stringContaining("complete")]);
      expect(entryOf(root)).toContain("ostree=");
      const origin = readFileSync(`${deploymentOf(root)}.origin`, "utf8");
      expect(origin).toContain(`container-image-reference=ostree-unverified-registry:${NAME}\n`);
      expect(existsSync("/run/.containerenv")).toBe(false);
    });

    test("a boot loader that cannot be installed is refused before anything is written", async () => {
      const disk = attach(await newDisk("containers.raw", 256));
      sh("mkfs.ext4", "-q", disk);
      const root = await newRoot("from-unbootable");
      const before = sh("find", root);
      const ran = install(disk, root, "systemd");
      expect([ran.status, ran.stderr]).toEqual([3, expect.stringContaining("no systemd-boot")]);
      expect(sh("find", root)).toBe(before);
    });

    test("images that are only in memory cannot be shown: the hint says what to do", async () => {
      const root = await newRoot("from-memory");
      const before = sh("find", root);
      const ran = install("", root);
      expect([ran.status, ran.stderr]).toEqual([
        1,
        expect.stringContaining(
          "error: this container does not see the host's `/var/lib/containers`\n" +
            "hint: run the container with `-v /var/lib/containers:/var/lib/containers`\n",
        ),
      ]);
      expect(sh("find", root)).toBe(before);
    });
  },
);
