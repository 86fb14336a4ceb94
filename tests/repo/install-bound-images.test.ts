// Installations of an image that binds others: a real container storage, a real registry, real disks.
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  bootcWith,
  deploymentOf,
  dir,
  entryOf,
  missing,
  newRoot,
  sh,
  tidyUp,
} from "./install-lab.ts";
import { makeInstallableImage } from "./installable-image.ts";
import { type Registry, startRegistry } from "./registry.ts";
import { makeTinyImage } from "./tiny-image.ts";

const lacks = [...missing, ...(existsSync("/usr/bin/docker-registry") ? [] : ["docker-registry"])];
const DIR = "usr/lib/bootc/bound-images.d";

describe.skipIf(lacks.length > 0)(
  `bound images${lacks.length > 0 ? `: needs ${lacks}` : ""}`,
  () => {
    let registry: Registry;
    let image: string;
    let pinned: string;
    let names: readonly [first: string, second: string];

    /** The environment of an installer whose container storage is in a directory of the test. */
    async function environment(storage: string): Promise<Record<string, string>> {
      const conf = join(dir, `${storage}.conf`);
      const place = `graphroot = "${join(dir, storage)}"\nrunroot = "${join(dir, storage)}-run"\n`;
      await writeFile(conf, `[storage]\ndriver = "vfs"\n${place}`);
      return { HOME: dir, CONTAINERS_STORAGE_CONF: conf };
    }

    function list(root: string): readonly string[] {
      const storage = join(root, "ostree/bootc/storage/overlay-images/images.json");
      const images: readonly { names: readonly string[] }[] = JSON.parse(
        readFileSync(storage, "utf8"),
      );
      return images.flatMap((it) => it.names).sort();
    }

    beforeAll(async () => {
      registry = await startRegistry();
      const app = join(dir, "app");
      const made = await makeTinyImage(app, "latest", { layers: [{ "/usr/app": "an app" }] });
      const name = `${registry.address}/app`;
      names = [`${name}:1`, `${name}:2`];
      pinned = `${name}@${made.manifestDigest}`;
      for (const it of names) {
        sh("skopeo", "copy", "--dest-tls-verify=false", `oci:${app}`, `docker://${it}`);
      }
      mkdirSync(join(dir, ".config/containers"), { recursive: true });
      await writeFile(
        join(dir, ".config/containers/registries.conf"),
        `[[registry]]\nlocation = "${registry.address}"\ninsecure = true\n`,
      );
      image = await bind("binding", ...names);
    });
    async function bind(tag: string, first: string, second: string): Promise<string> {
      return await makeInstallableImage(join(dir, tag), {
        version: "1",
        files: {
          "usr/share/containers/systemd/a.image": `[Image]\nImage=${first}\n`,
          "etc/containers/systemd/b.container": `[Container]\nImage=${second}\n`,
        },
        links: {
          [`${DIR}/a.image`]: "/usr/share/containers/systemd/a.image",
          [`${DIR}/b.container`]: "../../../../etc/containers/systemd/b.container",
        },
      });
    }

    afterEach(tidyUp);
    afterAll(async () => {
      await registry.stop();
    });

    function install(env: Readonly<Record<string, string>>, ...args: string[]) {
      return installFrom(image, env, ...args);
    }

    function installFrom(source: string, env: Readonly<Record<string, string>>, ...args: string[]) {
      const common = ["--source-imgref", source, "--bootloader", "none", "--skip-finalize"];
      return bootcWith(env, "to-filesystem", ...common, ...args);
    }

    test("pull: they come from the registry into the machine's own storage", async () => {
      const root = await newRoot("pulled");
      const ran = install(await environment("empty"), "--bound-images", "pull", root);
      expect([ran.status, ran.stderr]).toEqual([
        0,
        expect.stringContaining("Bound images stored: 2"),
      ]);
      expect(ran.stderr).toContain(`Fetching bound image: ${names[0]}\n`);
      expect(list(root)).toEqual([...names].sort());
      expect(readdirSync(join(root, "ostree/bootc"))).toEqual(["storage"]);
      // The storage keeps itself mounted, which would prevent unmounting the root.
      expect(sh("findmnt", "--list", "--noheadings", "--output", "TARGET")).not.toContain(
        join(root, "ostree"),
      );
    });

    test("stored: they are copied from the installer's storage, and nothing is fetched", async () => {
      const env = await environment("stored");
      const root = await newRoot("copied");
      for (const name of names) store(env, name);
      await registry.requests();
      const ran = install(env, root);
      expect([ran.status, ran.stderr]).toEqual([
        0,
        expect.stringContaining("Bound images stored: 2"),
      ]);
      expect(list(root)).toEqual([...names].sort());
      expect(await registry.requests()).toEqual([]);
    });

    test("stored: the error names a missing image, and nothing is stored", async () => {
      const root = await newRoot("missing");
      const ran = install(await environment("none"), root);
      expect(ran.status).toBe(1);
      expect(ran.stderr).toContain(
        `error: the bound image \`${names[0]}\` is not in the container storage\n` +
          `hint: run \`podman pull ${names[0]}\` first, or pass \`--bound-images pull\` to fetch it\n`,
      );
      expect(existsSync(join(root, "ostree/bootc"))).toBe(false);
    });

    test("a digest in the name: a pull keeps it, a copy from a storage has lost it", async () => {
      const env = await environment("digest");
      store(env, pinned);
      const source = await bind("pinning", pinned, pinned);
      const root = await newRoot("pinned");
      const refused = installFrom(source, env, root);
      expect([refused.status, refused.stderr]).toEqual([
        3,
        expect.stringContaining("cannot be copied without changing its digest"),
      ]);
      expect(existsSync(join(root, "ostree/bootc"))).toBe(false);
      const pulled = installFrom(source, env, "--bound-images", "pull", "--replace", "wipe", root);
      expect([pulled.status, pulled.stderr]).toEqual([0, expect.stringContaining("stored: 1")]);
      expect(list(root)).toEqual([pinned]);
    });

    test("the installed image itself is stored under the name that the machine follows", async () => {
      const root = await newRoot("unified");
      const unified = ["--bound-images", "skip", "--experimental-unified-storage"];
      const refused = install(await environment("unified"), ...unified, root);
      expect([refused.status, refused.stderr]).toEqual([
        3,
        expect.stringContaining("has no name that a container storage can keep"),
      ]);
      const target = ["--target-transport", "registry", "--target-imgref", "quay.io/example/os"];
      const ran = install(await environment("unified"), ...unified, ...target, root);
      expect([ran.status, ran.stderr]).toEqual([0, expect.stringContaining("Images stored: 1")]);
      expect(list(root)).toEqual(["quay.io/example/os:latest"]);
    });

    test("skip: the machine is installed without them", async () => {
      const root = await newRoot("skipped");
      const ran = install(await environment("none"), "--bound-images", "skip", root);
      expect(ran.status).toBe(0);
      expect(entryOf(root)).toContain("ostree=");
      expect(existsSync(join(deploymentOf(root), DIR, "a.image"))).toBe(false);
      expect(existsSync(join(root, "ostree/bootc"))).toBe(false);
    });
  },
);

/** Copies an image of the registry into the installer's storage. */
function store(env: Readonly<Record<string, string>>, name: string): void {
  const words = Object.entries(env).map(([key, value]) => `${key}=${value}`);
  sh("env", ...words, "skopeo", "copy", `docker://${name}`, `containers-storage:${name}`);
}
