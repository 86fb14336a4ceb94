// The images of a host, and podman: copied out, built upon, switched to, and kept in both storages.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { pushImage } from "./pushed-images.ts";
import { blobRequests, type Registry, startRegistry } from "./registry.ts";
import { makeHost, missing, type SimulatedHost, simulatedOstrees } from "./simulated-boot.ts";

let registry: Registry;
beforeAll(async () => {
  if (missing === undefined) registry = await startRegistry();
});
afterAll(() => registry?.stop());

const insecure = () => `[[registry]]\nlocation = "${registry.address}"\ninsecure = true\n`;

describe.skipIf(missing)("images of a host", () => {
  describe.each(simulatedOstrees)("with ostree $version", (version) => {
    let host: SimulatedHost;
    let name: string;
    let count = 0;
    const push = async (release: string) =>
      await pushImage(`${name}:latest`, {
        version: release,
        files: { "etc/containers/registries.conf": insecure() },
      });
    beforeEach(async () => {
      name = `${registry.address}/images${version.version}-${count++}`;
      host = makeHost(version);
      await push("1");
      const from = `--imgref=ostree-unverified-registry:${name}:latest`;
      const options = [from, "--insecure-skip-tls-verification", "--karg=root=UUID=x"];
      const place = [`--sysroot=${host.sysroot}`, "--stateroot=default"];
      const words = ["internals", "ostree-container", "image", "deploy", ...place, ...options];
      const outcome = host.bootcOutside(...words);
      expect(outcome.status, outcome.stderr).toBe(0);
    });
    afterEach(() => host?.remove());

    const run = (words: string) => {
      const outcome = host.bootc(words);
      expect(outcome.status, `${words}: ${outcome.stderr}`).toBe(0);
      return outcome;
    };
    const shell = (command: string) => {
      const outcome = host.shell(command);
      expect(outcome.status, `${command}: ${outcome.stderr}`).toBe(0);
      return outcome.stdout;
    };
    /** A file of the booted deployment; the programs in `/usr` are those of the machine that runs the test. */
    const readBooted = (path: string) =>
      readFileSync(join(host.sysroot, "ostree/deploy/default/deploy", host.booted(), path), "utf8");
    const status = () => JSON.parse(run("status --json").stdout).status;
    const stored = (): readonly string[] => {
      const path = join(host.sysroot, "ostree/bootc/storage/overlay-images/images.json");
      const images: readonly { readonly names?: readonly string[] }[] = JSON.parse(
        readFileSync(path, "utf8"),
      );
      return images.flatMap((it) => it.names ?? []).sort();
    };

    test("the booted one is copied out, built upon, and the result booted", () => {
      expect(run("image list").stdout).toContain(`docker://${name}:latest`);
      const { stdout } = run("image copy-to-storage");
      expect(stdout).toMatch(
        new RegExp(
          `^Copying local image docker://${name}:latest to containers-storage:localhost/bootc \\.\\.\\.\n` +
            "Pushed: containers-storage:localhost/bootc sha256:[0-9a-f]{64}\n$",
        ),
      );
      const context = join(host.run, "build");
      mkdirSync(context);
      writeFileSync(join(context, "added"), "added");
      writeFileSync(
        join(context, "Containerfile"),
        "FROM localhost/bootc\nCOPY added /usr/share/added\n",
      );
      shell("podman build --quiet --tag localhost/derived /run/build");
      const { stdout: said } = run("switch --transport containers-storage localhost/derived");
      // The repository has what the copy was made of.
      expect(said).toMatch(/^layers already present: 2; layers needed: 1 /m);
      host.reboot();
      expect([readBooted("usr/share/added"), readBooted("usr/share/version")]).toEqual([
        "added",
        "1",
      ]);
      expect(status().booted.image.image).toEqual({
        image: "localhost/derived",
        transport: "containers-storage",
      });
      if (version.version !== "2022.7") run("rollback");
    });

    test("copies go to other places as well, and what is not there is refused", () => {
      run(`image copy-to-storage --source docker://${name}:latest --target oci:/run/copy`);
      const index = JSON.parse(readFileSync(join(host.run, "copy/index.json"), "utf8"));
      expect(index.manifests).toHaveLength(1);
      const copy = `docker://${registry.address}/copy:1`;
      const words = `--source docker://${name}:latest --target ${copy}`;
      const { stdout } = run(`image copy-to-storage ${words} --insecure-skip-tls-verification`);
      const inspect = ["inspect", "--tls-verify=false", "--format={{.Digest}}", copy];
      const digest = execFileSync("skopeo", inspect, { encoding: "utf8" }).trim();
      expect(stdout).toContain(`Pushed: ${copy} ${digest}\n`);
      expect(host.bootc("image copy-to-storage --source docker://none/none")).toMatchObject({
        status: 1,
        stderr: expect.stringContaining("no image `docker://none/none` in"),
      });
      expect(host.bootc("image pull-from-default-storage localhost/none")).toMatchObject({
        status: 1,
        stderr: expect.stringContaining("podman's storage has no image `localhost/none`"),
      });
      expect(host.bootc("image copy-to-storage", { uid: 1000 }).status).toBe(3);
    });

    test("a unified one is updated in the container storage and deployed from there", async () => {
      run("image set-unified");
      expect(stored()).toEqual([`${name}:latest`]);
      expect(JSON.parse(run("image list --format json").stdout)).toEqual([
        { image_type: "host", image: `docker://${name}:latest` },
        { image_type: "unified", image: `${name}:latest` },
      ]);
      const before = status();
      const digest = await push("2");
      await registry.requests();
      run("upgrade");
      const asked = blobRequests(await registry.requests());
      // The configuration to plan with, and the image for the storage: nothing for the repository.
      expect(asked).toHaveLength(3);
      const { booted, staged } = status();
      expect(booted).toEqual(before.booted);
      expect(staged.image.imageDigest).toBe(digest);
      expect(staged.image.image).toEqual(booted.image.image);
      host.reboot();
      expect(readBooted("usr/share/version")).toBe("2");
      run("internals cleanup");
      expect(stored()).toEqual([`${name}:latest`]);
      expect(run("upgrade").stdout).toContain("No changes in");
    });

    test("a switch puts an image into the container storage when that is wanted", async () => {
      const other = `${name}-other`;
      const digest = await pushImage(`${other}:latest`, { version: "other" });
      run(`switch --experimental-unified-storage ${other}:latest`);
      expect(stored()).toEqual([`${other}:latest`]);
      expect(status().staged.image).toMatchObject({
        image: { image: `${other}:latest`, transport: "registry" },
        imageDigest: digest,
      });
      expect(
        host.bootc("switch --experimental-unified-storage --transport oci /srv/x"),
      ).toMatchObject({
        status: 3,
        stderr: expect.stringContaining("oci:/srv/x has no name that a container storage can keep"),
      });
    });

    test("podman's commands work on the storage of the host", () => {
      expect(run("image cmd list --noheading").stdout).toBe("");
      run("image set-unified");
      expect(run("image cmd list --noheading").stdout).toContain(`${name} `);
      const context = join(host.run, "build");
      mkdirSync(context);
      writeFileSync(join(context, "added"), "added");
      writeFileSync(join(context, "Containerfile"), `FROM ${name}\nCOPY added /usr/share/added\n`);
      const built = run("image cmd build --quiet -t localhost/derived /run/build");
      expect(built.stdout).toMatch(/^[0-9a-f]{64}\n$/);
      expect(stored()).toContain("localhost/derived:latest");
      run("image cmd push localhost/derived oci:/run/pushed");
      expect(JSON.parse(readFileSync(join(host.run, "pushed/index.json"), "utf8"))).toMatchObject({
        manifests: [{}],
      });
      run(`image cmd pull ${name}:latest`);
      expect(host.bootc("image cmd push localhost/none oci:/run/none")).toMatchObject({
        status: 1,
        stderr: expect.stringContaining("localhost/none"),
      });
      expect(shell("findmnt --list")).not.toContain("/run/bootc/storage");
      run("switch --transport containers-storage localhost/derived");
      host.reboot();
      expect(readBooted("usr/share/added")).toBe("added");
    });

    test("one of podman's own storage is copied to that of the host, and used from there", () => {
      run("image copy-to-storage --target localhost/os");
      run("image pull-from-default-storage localhost/os");
      expect(stored()).toEqual(["localhost/os:latest"]);
      shell("podman rmi --all --force");
      run("switch --transport containers-storage localhost/os");
      host.reboot();
      expect(readBooted("usr/share/version")).toBe("1");
      expect(stored()).toEqual(["localhost/os:latest"]);
      run("image set-unified");
    });
  });
});
