// Bound images are fetched before an update is staged, and kept while a deployment needs them.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { pushImage } from "./pushed-images.ts";
import { blobRequests, type Registry, startRegistry } from "./registry.ts";
import { makeHost, missing, type SimulatedHost, simulatedOstrees } from "./simulated-boot.ts";
import { makeTinyImage } from "./tiny-image.ts";

let registry: Registry;
beforeAll(async () => {
  if (missing) return;
  registry = await startRegistry();
  mkdirSync(join(registry.dir, ".config/containers"), { recursive: true });
  writeFileSync(join(registry.dir, ".config/containers/registries.conf"), insecure());
});
const insecure = () => `[[registry]]\nlocation = "${registry.address}"\ninsecure = true\n`;
afterAll(() => registry?.stop());

const DIR = "usr/lib/bootc/bound-images.d";

describe.skipIf(missing).each(simulatedOstrees)("bound images on ostree $version", (version) => {
  let host: SimulatedHost;
  let name: string;
  let count = 0;

  /** Pushes an image of the operating system that binds others, one by each kind of file. */
  const push = (release: string, bound: { readonly image?: string; readonly container?: string }) =>
    pushImage(`${name}:latest`, {
      version: release,
      files: {
        "etc/containers/registries.conf": insecure(),
        ...(bound.image && {
          "usr/share/containers/systemd/a.image": `[Image]\nImage=${bound.image}\n`,
        }),
        ...(bound.container && {
          "etc/containers/systemd/b.container": `[Container]\nImage=${bound.container}\n`,
        }),
      },
      links: {
        ...(bound.image && { [`${DIR}/a.image`]: "/usr/share/containers/systemd/a.image" }),
        ...(bound.container && {
          [`${DIR}/b.container`]: "../../../../etc/containers/systemd/b.container",
        }),
      },
    });
  const app = (tag: string) => `${name}-app:${tag}`;
  const pushApp = async (tag: string) => {
    const layout = join(registry.dir, `app-${tag}`);
    await makeTinyImage(layout, "latest", { layers: [{ "/usr/app": `app ${tag}` }] });
    const to = `docker://${app(tag)}`;
    host.outside("skopeo", "copy", "--quiet", "--dest-tls-verify=false", `oci:${layout}`, to);
  };

  beforeEach(async () => {
    name = `${registry.address}/bound${version.version}-${count++}`;
    host = makeHost(version);
    await push("1", {});
    const outcome = deployOutside();
    expect(outcome.status, outcome.stderr).toBe(0);
  });
  /** Deploys like an installer that makes the installation itself. */
  const deployOutside = () => {
    const from = `--imgref=ostree-unverified-registry:${name}:latest`;
    const options = [from, "--insecure-skip-tls-verification", "--karg=root=UUID=x"];
    const place = [`--sysroot=${host.sysroot}`, "--stateroot=default"];
    const words = ["internals", "ostree-container", "image", "deploy", ...place, ...options];
    return host.bootcOutsideWith({ HOME: registry.dir }, ...words);
  };
  afterEach(() => host.remove());

  const run = (words: string) => {
    const outcome = host.bootc(words);
    expect(outcome.status, `${words}: ${outcome.stderr}`).toBe(0);
    return outcome;
  };
  const storage = () => join(host.sysroot, "ostree/bootc/storage");
  const stored = (): readonly string[] => {
    const text = readFileSync(join(storage(), "overlay-images/images.json"), "utf8");
    const images: readonly { readonly names: readonly string[] }[] = JSON.parse(text);
    return images.flatMap((it) => it.names).sort();
  };
  const hasStaged = () => JSON.parse(run("status --json").stdout).status.staged !== null;

  test("they arrive with the update, stay for the rollback, and go when nothing binds them", async () => {
    for (const tag of ["one", "two", "three"]) await pushApp(tag);
    await push("2", { image: app("one"), container: `docker://${app("two")}` });
    const { stderr } = run("upgrade");
    expect(stderr).toContain(`Fetching bound image: ${app("one")}\n`);
    expect(stderr).toContain("Bound images stored: 2\n");
    expect(stored()).toEqual([app("one"), app("two")]);
    host.reboot();

    // A stored image is not asked for again, whatever its tag names by now.
    await push("3", { image: app("three"), container: app("two") });
    await registry.requests();
    expect(run("upgrade").stderr).toContain("Bound images stored: 1\n");
    const asked = blobRequests(await registry.requests()).filter((it) => it.includes("-app/"));
    expect(asked).toHaveLength(2); // a configuration and a layer
    expect(stored()).toEqual([app("one"), app("three"), app("two")]);
    host.reboot();

    // Still bound by the deployment to roll back to; a clean-up leaves it alone.
    run("internals cleanup");
    expect(stored()).toEqual([app("one"), app("three"), app("two")]);
    await push("4", { container: app("two") });
    run("upgrade");
    host.reboot();
    expect(run("internals cleanup").stdout).toContain("Removed bound images: 1\n");
    expect(stored()).toEqual([app("three"), app("two")]);
    expect(host.shell("findmnt --list").stdout).not.toContain("/bootc/storage");
  });

  test("a bound image that cannot be fetched stops the update before it is staged", async () => {
    await pushApp("one");
    await push("2", { image: app("one"), container: app("none") });
    const failed = host.bootc("upgrade");
    expect(failed.status, failed.stderr).toBe(1);
    expect(failed.stderr).toContain(`storing the bound image \`${app("none")}\``);
    expect(hasStaged()).toBe(false);
    expect(existsSync(join(host.run, "reboot-required"))).toBe(false);
    expect(existsSync(storage())).toBe(false);

    await pushApp("none");
    run("upgrade");
    expect(stored()).toEqual([app("none"), app("one")]);
    expect(hasStaged()).toBe(true);
  });

  test("an installer that deploys by itself, and one that completes it later, get them as well", async () => {
    for (const tag of ["one", "two"]) await pushApp(tag);
    await push("2", { image: app("one"), container: app("two") });
    const outcome = deployOutside();
    expect(outcome.status, outcome.stderr).toBe(0);
    expect(outcome.stderr).toContain("Bound images stored: 2\n");
    expect(stored()).toEqual([app("one"), app("two")]);

    // As if the installer's version of the program did not know bound images.
    rmSync(storage(), { recursive: true });
    host.reboot();
    const inside = "mount -o remount,bind,rw /sysroot && exec bootc install ensure-completion";
    const words = `exec unshare --mount --pid --fork --mount-proc sh -c '${inside}'`;
    const installer = { env: { ANA_INSTALL_PATH: "/mnt/sysimage" } };
    const completed = host.shell(words, installer);
    expect(completed.status, completed.stderr).toBe(0);
    expect(stored()).toEqual([app("one"), app("two")]);
    const again = host.shell(words, installer);
    expect(again).toMatchObject({ status: 0, stderr: "Reconciliation already completed.\n" });
  });

  test("switch: the error names a useless Quadlet file, and nothing is staged", async () => {
    await push("2", { image: "quay.io/a:%v" });
    host.outside("skopeo", ...copyArgs(`${name}:latest`, `${name}:other`));
    const refused = host.bootc(`switch ${name}:other`);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain("Systemd specifiers are not supported by bound bootc images");
    expect(refused.stderr).toContain(`/${DIR}/a.image`);
    expect(hasStaged()).toBe(false);
  });
});

function copyArgs(from: string, to: string): readonly string[] {
  const tls = ["--src-tls-verify=false", "--dest-tls-verify=false"];
  return ["copy", "--quiet", ...tls, `docker://${from}`, `docker://${to}`];
}
