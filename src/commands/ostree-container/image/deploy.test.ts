import { expect, test } from "vitest";
import { readSysroot } from "../../../sysroot/sysroot.ts";
import { layOutMachine } from "../../../testing/machine-fixture.ts";
import { scriptedContext } from "../../../testing/scripted-context.ts";
import { decideReference, decideStateroot } from "./deploy.ts";

test("the stateroot is the named one, the running system's, or `default`", async () => {
  const fixture = new URL("../../../sysroot/fixtures/ostree-2025.2-staged.json", import.meta.url);
  const { root } = await layOutMachine(fixture);
  const read = await readSysroot(scriptedContext(root, []).ctx);
  const deployments = read.deployments.map((it) => ({
    ...it,
    stateroot: it.isBooted ? "fedora" : "x",
  }));
  const running = { ...read, deployments };
  expect(decideStateroot({}, running)).toBe("fedora");
  expect(decideStateroot({ stateroot: "other" }, running)).toBe("other");
  expect(decideStateroot({}, undefined)).toBe("default");
});

test.each([
  [{ image: "quay.io/x/os" }, "registry", "none"],
  [{ image: "/srv/os", transport: "oci" }, "oci", "none"],
  [{ image: "quay.io/x/os", enforceContainerSigpolicy: true }, "registry", "policy"],
  [{ image: "quay.io/x/os", ostreeRemote: "fedora" }, "registry", "remote"],
] as const)("%j comes from %s, and %s vouches for it", (words, transport, kind) => {
  const { image, verification } = decideReference({ sysroot: "/", karg: [], ...words });
  expect([image.name, image.transport, verification.kind]).toEqual([words.image, transport, kind]);
});
