import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BootcError, describeError } from "../errors.ts";
import type { Machine } from "../testing/machine-fixture.ts";
import {
  expectRefused,
  type Interrupt,
  LOCK,
  listDeployments,
  machineOf,
  makeInterrupt,
  play,
  playToHint,
} from "../testing/play-verb.ts";
import type { ScriptLine } from "../testing/scripted-context.ts";
import { deleteDeployment } from "./delete-deployment.ts";

test("the booted deployment is refused before anything is started", async () => {
  const it = await machineOf("2025.2");
  for (const name of ["booted", it.booted]) {
    expect(await play(it, [LOCK], (ctx) => deleteDeployment(ctx, name, {}))).toContain(
      "error: Cannot delete currently booted deployment\n",
    );
  }
});

test("what ostree deletes is checked", async () => {
  const it = await machineOf("2025.2");
  const list = await listDeployments(it);
  const index = list.findIndex((line) => line.includes(it.booted));
  const other = index === 0 ? 1 : 0;
  const outcome = await play(
    it,
    [
      LOCK,
      ["? ostree admin status", list.join("")],
      [`+ ostree admin undeploy ${other}`], // and does nothing
      ["? ostree admin status", list.join("")],
    ],
    (ctx) => deleteDeployment(ctx, list[other]?.trim().split(" ")[1] ?? "", {}),
  );
  expect(outcome).toMatch(/error: ostree did not delete `[0-9a-f]{64}\.\d+`\n$/);
});

/** Deletes the staged deployment, after which ostree and the steps `after` it say what is given here. */
async function deleteStaged(
  it: Machine,
  {
    failure,
    after = [],
  }: { readonly failure?: BootcError; readonly after?: readonly ScriptLine[] },
): Promise<string> {
  const [staged = "", ...others] = await listDeployments(it);
  const undeploy = async () => {
    await rm(join(it.root, "run/ostree/staged-deployment"));
    if (failure !== undefined) throw failure;
  };
  const script: readonly ScriptLine[] = [
    LOCK,
    ["? ostree admin status", [staged, ...others].join("")],
    ["+ ostree admin undeploy 0", undeploy],
    ["? ostree admin status", others.join("")],
    ...after,
  ];
  return await play(it, script, (ctx) => deleteDeployment(ctx, "staged", {}));
}

test("a clean-up that fails after the deletion is only noted", async () => {
  const outcome = await deleteStaged(await machineOf("2025.2"), {});
  expect(outcome).toContain("> Deleted deployment: ");
  expect(outcome).toContain("! note: not everything could be cleaned up: ");
  expect(outcome).not.toContain("error: ");
});

test("ostree that fails after the deletion has deleted", async () => {
  const failure = new BootcError("Cleaning up: Input/output error");
  const after: readonly ScriptLine[] = [["+ ostree admin cleanup", failure]];
  const outcome = await deleteStaged(await machineOf("2025.2"), { failure, after });
  expect(outcome).toContain("! note: ostree could not clean up: Cleaning up: Input/output error\n");
  expect(outcome).toContain("> Deleted deployment: ");
  expect(outcome).not.toContain("error: ");
});

test.each<[string, (interrupt: Interrupt) => readonly ScriptLine[]]>([
  ["ostree deletes", () => []],
  ["the list is looked at", ({ now }) => [["? ostree admin status", now]]],
])("a deletion that is made is not interrupted: while %s", async (_when, after) => {
  const it = await machineOf("2025.2");
  const [staged = "", ...others] = await listDeployments(it);
  const interrupt = await makeInterrupt(it, { ostree: `echo '${others.join("")}'` });
  const script: readonly ScriptLine[] = [
    LOCK,
    ["? ostree admin status", [staged, ...others].join("")],
    [
      "+ ostree admin undeploy 0",
      async () => {
        await rm(join(it.root, "run/ostree/staged-deployment"));
        if (after(interrupt).length === 0) interrupt.now();
      },
    ],
    ...after(interrupt),
  ];
  const outcome = await play(it, script, (ctx) =>
    deleteDeployment(interrupt.of(ctx), "staged", {}),
  );
  expect(outcome).toContain("> Deleted deployment: ");
  expect(outcome).toContain("! note: not everything could be cleaned up: ");
  expect(outcome).not.toContain("error: ");
});

test("an answer that cannot be given does not ask for a second deletion", async () => {
  const it = await machineOf("2025.2");
  const [staged = "", ...others] = await listDeployments(it);
  const script: readonly ScriptLine[] = [
    LOCK,
    ["? ostree admin status", [staged, ...others].join("")],
    ["+ ostree admin undeploy 0", () => rm(join(it.root, "run/ostree/staged-deployment"))],
    ["? ostree admin status", others.join("")],
  ];
  let failure: unknown;
  await play(it, script, (ctx) =>
    deleteDeployment(
      {
        ...ctx,
        write() {
          throw new BootcError("no room left", { hint: "make room, and run this again" });
        },
      },
      "staged",
      { json: true },
    ).catch((error: unknown) => {
      failure = error;
    }),
  );
  expect(describeError(failure)).toMatchObject({
    message: expect.stringMatching(/^`[0-9a-f]{64}\.0` is deleted, but what follows has failed$/),
    causes: ["no room left"],
    hint: "a second deletion might delete another deployment",
  });
});

test("a deletion that takes another deployment along is told, and not taken for a failed disk alone", async () => {
  for (const isDone of [true, false]) {
    const it = await machineOf("2025.2");
    await writeFile(join(it.root, "run/reboot-required"), "bootc: Reboot required for image: x\n");
    const [staged = "", booted = "", other = ""] = await listDeployments(it);
    const undeploy = async () => {
      await rm(join(it.root, "run/ostree/staged-deployment"));
      throw new BootcError("Input/output error", { hint: "see `dmesg`" });
    };
    const script: readonly ScriptLine[] = [
      LOCK,
      ["? ostree admin status", [staged, booted, other].join("")],
      ["+ ostree admin undeploy 2", undeploy],
      ["? ostree admin status", isDone ? booted : booted + other],
    ];
    let failure: unknown;
    const said = await play(it, script, (ctx) =>
      deleteDeployment(ctx, "rollback", {}).catch((error: unknown) => {
        failure = error;
      }),
    );
    expect(describeError(failure)).toEqual({
      kind: "integrity",
      message: expect.stringMatching(/^ostree did not delete `[0-9a-f]{64}\.0` alone$/),
      causes: ["Input/output error"],
      hint: "`ostree admin status` shows what is left",
    });
    expect(said).not.toContain("Deleted deployment");
    expect(existsSync(join(it.root, "run/reboot-required"))).toBe(false);
    expect(existsSync(join(it.root, "sysroot/ostree/bootc"))).toBe(true);
  }
});

test("a soft reboot that stays prepared is an error, which says that the deployment is gone", async () => {
  const it = await machineOf("2025.2");
  await writeFile(join(it.root, "run/ostree/nextroot-booted"), "");
  await writeFile(join(it.root, "run/reboot-required"), "bootc: Reboot required for image: x\n");
  const reset = "+ nsenter --target=1 --mount -- ostree admin prepare-soft-reboot --reset";
  const outcome = await deleteStaged(it, { after: [[reset, new BootcError("I/O error")]] });
  expect(outcome).toContain("> Deleted deployment: ");
  expect(outcome).toMatch(/error: `.*` is deleted, but a soft reboot is still prepared\n$/);
  expect(existsSync(join(it.root, "run/reboot-required"))).toBe(false);
});

test("whoever cannot look after the deletion believes ostree, and tells everybody", async () => {
  const it = await machineOf("2025.2");
  await writeFile(join(it.root, "run/reboot-required"), "bootc: Reboot required for image: x\n");
  const [staged = "", ...others] = await listDeployments(it);
  const script: readonly ScriptLine[] = [
    LOCK,
    ["? ostree admin status", [staged, ...others].join("")],
    [
      "+ ostree admin undeploy 0",
      () => writeFile(join(it.root, "run/ostree/staged-deployment"), "damaged"),
    ],
    ["? ostree admin status", new BootcError("Input/output error")],
  ];
  const outcome = await play(it, script, (ctx) => deleteDeployment(ctx, "staged", {}));
  expect(outcome).toMatch(
    /! warning: `.*` is deleted, which cannot be checked: Input\/output error\n/,
  );
  expect(outcome).toContain("> Deleted deployment: ");
  expect(outcome).not.toContain("error: ");
  expect(existsSync(join(it.root, "run/reboot-required"))).toBe(false);
});

test("when ostree fails and nobody can look, everybody is told what can be told", async () => {
  const it = await machineOf("2025.2");
  await writeFile(join(it.root, "run/reboot-required"), "bootc: Reboot required for image: x\n");
  const [staged = "", ...others] = await listDeployments(it);
  const undeploy = async () => {
    await rm(join(it.root, "run/ostree/staged-deployment"));
    throw new BootcError("Input/output error", { hint: "see `dmesg`" });
  };
  const script: readonly ScriptLine[] = [
    LOCK,
    ["? ostree admin status", [staged, ...others].join("")],
    ["+ ostree admin undeploy 0", undeploy],
    ["? ostree admin status", new BootcError("Input/output error")],
  ];
  expect(await playToHint(it, script, (ctx) => deleteDeployment(ctx, "staged", {}))).toBe(
    "`ostree admin status` shows it; a second deletion might delete another deployment",
  );
  expect(existsSync(join(it.root, "run/reboot-required"))).toBe(false);
  expect(existsSync(join(it.root, "sysroot/ostree/bootc"))).toBe(true);
});

test("what we cannot read may boot next, so its reboot is not withdrawn", async () => {
  const it = await machineOf("2025.2");
  await writeFile(join(it.root, "run/reboot-required"), "bootc: Reboot required for image: x\n");
  const [staged = "", booted = "", other = ""] = await listDeployments(it);
  const script: readonly ScriptLine[] = [
    LOCK,
    ["? ostree admin status", [staged, booted, other].join("")],
    [
      "+ ostree admin undeploy 2",
      () => writeFile(join(it.root, "run/ostree/staged-deployment"), "damaged"),
    ],
    ["? ostree admin status", staged],
  ];
  const said = await play(it, script, (ctx) => deleteDeployment(ctx, "rollback", {}));
  expect(said).toContain("! warning: `/run/reboot-required` may be wrong: the entry `staged`: ");
  expect(existsSync(join(it.root, "run/reboot-required"))).toBe(true);
});

test("what we could not read before may boot next as well", async () => {
  const it = await machineOf("2025.2");
  await writeFile(join(it.root, "run/reboot-required"), "bootc: Reboot required for image: x\n");
  const lines = await listDeployments(it);
  const [staged = "", booted = "", other = ""] = lines;
  await writeFile(join(it.root, "run/ostree/staged-deployment"), "damaged");
  const script: readonly ScriptLine[] = [
    LOCK,
    ["? ostree admin status", lines.join("")],
    ["+ ostree admin undeploy 2"],
    ["? ostree admin status", staged + booted],
  ];
  const name = other.trim().split(" ")[1] ?? "";
  const said = await play(it, script, (ctx) => deleteDeployment(ctx, name, {}));
  expect(said).toContain("> Deleted deployment: ");
  expect(said).toContain("! warning: `/run/reboot-required` may be wrong: the entry `staged`: ");
  expect(existsSync(join(it.root, "run/reboot-required"))).toBe(true);
});

test("an unknown deployment is refused", async () => {
  const it = await machineOf("2025.2");
  await rm(join(it.root, "run/ostree/staged-deployment"), { force: true });
  expect(await play(it, [LOCK], (ctx) => deleteDeployment(ctx, "staged", {}))).toContain(
    "error: Deployment staged not found\n",
  );
});

test("delete-deployment starts nothing where it may not run", async () => {
  await expectRefused((ctx) => deleteDeployment(ctx, "rollback", {}));
});
