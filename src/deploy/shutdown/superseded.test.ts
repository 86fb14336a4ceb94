import { mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { listDeployments, machineOf, makeInterrupt, play } from "../../testing/play-verb.ts";
import { removeSuperseded } from "./superseded.ts";

const SUPERSEDED = `${"c".repeat(64)}.0`;

/** A machine that runs an update, with what that has superseded after the rollback. */
async function machineAfterUpdate() {
  const machine = await machineOf("2025.2");
  const { root } = machine;
  await rm(join(root, "run/ostree/staged-deployment"));
  const entries = join(root, "boot/loader/entries");
  const entry = await readFile(join(entries, "ostree-1.conf"), "utf8");
  await writeFile(
    join(entries, "ostree-0.conf"),
    entry.replace("version 1", "version 0").replace(/(ostree=\S*)\/1/, "$1/2"),
  );
  const [, link = ""] = /ostree=\/(\S*)/.exec(entry) ?? [];
  await symlink(
    `../../../deploy/default/deploy/${SUPERSEDED}`,
    join(dirname(join(root, "sysroot", link)), "2"),
  );
  const dir = join(root, "sysroot/ostree/deploy/default/deploy", SUPERSEDED);
  await mkdir(dir);
  await writeFile(`${dir}.origin`, "[libostree-transient]\npinned=1\nbootc-superseded=true\n");
  return machine;
}

test.each([false, true])(
  "a removal that takes another deployment along is a warning (interrupted: %s)",
  async (isInterrupted) => {
    const machine = await machineAfterUpdate();
    const [booted = "", ...others] = await listDeployments(machine);
    expect(others.at(-1)).toContain(SUPERSEDED);
    const interrupt = await makeInterrupt(machine, { ostree: `echo '${booted}'` });
    const said = await play(
      machine,
      [
        ["? ostree admin status", booted + others.join("")],
        ["+ ostree admin undeploy 2", () => (isInterrupted ? interrupt.now() : undefined)],
        ...(isInterrupted ? [] : ([["? ostree admin status", booted]] as const)),
      ],
      (ctx) => removeSuperseded(interrupt.of(ctx)),
    );
    const what = `ostree did not delete \`${SUPERSEDED}\` alone`;
    expect(said).toContain(`! warning: removing a superseded deployment: ${what}`);
    expect(said.includes("error: interrupted\n")).toBe(isInterrupted);
  },
);
