// What people do with podman on a host: an image of what is booted, a build upon it, and the switch to the result.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { boot, installDisk, type Lab, missingForLab, openLab, release, statusOf } from "./lab.ts";
import type { Disk, Machine } from "./machine.ts";

const missing = await missingForLab();

/** The recipe of the next image; no step of it needs a network. */
const RECIPE = `FROM localhost/bootc
RUN echo built-here > /usr/share/built-here
RUN bootc container lint
LABEL org.opencontainers.image.version=p2
`;

describe.skipIf(missing !== undefined)(`commands${missing ? ` (${missing})` : ""}`, () => {
  let lab: Lab;
  let disk: Disk;
  let machine: Machine;

  beforeAll(async () => {
    lab = await openLab("commands", { slot: 1, packages: ["podman", "crun", "netavark"] });
    await release(lab, "p1", {
      files: { "etc/changed-here": "image\n", "etc/deleted-here": "image\n" },
    });
    disk = await installDisk(lab, { name: "commands", tag: "latest", sizeGiB: 12 });
    machine = await boot(lab, disk, "install");
  });

  afterAll(async () => {
    await machine?.cut();
    await lab?.close();
  });

  test("config-diff says what this host has changed in /etc, and brings a file back", async () => {
    await machine.must(
      "echo here > /etc/changed-here; rm /etc/deleted-here; echo here > /etc/added-here",
    );
    const lines = (await machine.must("bootc config-diff")).split("\n");
    expect(lines).toEqual(
      expect.arrayContaining([
        'Added "added-here"',
        'Modified "changed-here" (content)',
        'Removed "deleted-here"',
      ]),
    );
    await machine.must("bootc config-diff --restore /etc/changed-here");
    expect(await machine.must("cat /etc/changed-here")).toBe("image");
    const { changes } = JSON.parse(await machine.must("bootc config-diff --json")) as {
      readonly changes: readonly { readonly path: string }[];
    };
    const paths = changes.map((it) => it.path);
    expect(paths).toEqual(expect.arrayContaining(["added-here", "deleted-here"]));
    expect(paths).not.toContain("changed-here");
  });

  test("the booted image goes into podman's storage", async () => {
    const said = await machine.must("bootc image copy-to-storage", 1_800_000);
    expect(said).toMatch(/^Pushed: containers-storage:localhost\/bootc sha256:/m);
    const names = await machine.must("podman image list --format '{{.Repository}}:{{.Tag}}'");
    expect(names).toBe("localhost/bootc:latest");
    expect(await machine.must("ls /var/tmp")).not.toContain("bootc-export");
  });

  test("podman builds upon it, and lint is a step of the build", async () => {
    await machine.must(`mkdir /var/build && printf %s '${RECIPE}' > /var/build/Containerfile`);
    const said = await machine.must(
      "podman build --network none --tag localhost/next /var/build 2>&1",
      1_800_000,
    );
    expect(said).toContain("Checks passed: ");
    expect(said).not.toContain("Failed lint");
  });

  test("the host switches to the result, and boots it", async () => {
    const said = await machine.must(
      "bootc switch --transport containers-storage localhost/next",
      1_800_000,
    );
    // The repository has what the copy was made of.
    expect(said).toMatch(/^layers already present: [1-9]\d*; layers needed: [1-3] /m);
    expect((await statusOf(machine)).status.staged?.image?.version).toBe("p2");
    await machine.reboot();
    machine = await boot(lab, disk, "built");
    const { status } = await statusOf(machine);
    expect(status.booted?.image?.image).toMatchObject({
      transport: "containers-storage",
      image: expect.stringMatching(/^localhost\/next/),
    });
    expect(await machine.must("cat /usr/share/built-here")).toBe("built-here");
    expect(await machine.must("cat /etc/added-here")).toBe("here");
    expect(await machine.must("systemctl --failed --no-legend")).toBe("");
    expect(await machine.must("bootc upgrade 2>&1", 1_800_000)).toContain("No update available");
    await machine.must("ostree fsck --quiet", 1_800_000);
  });

  test("a rollback boots the image of the registry again", async () => {
    await machine.must("bootc rollback");
    await machine.reboot();
    machine = await boot(lab, disk, "rolled-back");
    const { status } = await statusOf(machine);
    expect([status.booted?.image?.version, status.rollback?.image?.version]).toEqual(["p1", "p2"]);
    expect((await machine.run("test -e /usr/share/built-here")).status).toBe(1);
  });
});
