// Finds the image to install: a named one, or that of the podman container that we run in.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, doing } from "../errors.ts";
import { type ImageReference, parseImageReference } from "../image/reference.ts";
import { readHostImageDigest } from "../programs/podman.ts";
import type { Context } from "../system/context.ts";
import { readFileIfAny } from "../system/files.ts";
import { requireRoot } from "../system/privileges.ts";

export interface InstallSource {
  readonly image: ImageReference;
  /** The name, without a digest, that the machine follows by default. */
  readonly name: string;
  /** Whether we run inside the image that is installed. */
  readonly isOwnContainer: boolean;
}

/** Finds the source. Refuses containers from which nothing can be installed. */
export async function requireSource(
  ctx: Context,
  sourceImgref: string | undefined,
): Promise<InstallSource> {
  if (sourceImgref !== undefined) {
    await requireRoot(ctx);
    const image = parseImageReference(sourceImgref);
    return { image, name: image.name, isOwnContainer: false };
  }
  const text = await readFileIfAny(join(ctx.root, "run/.containerenv"));
  if (text === undefined) {
    throw new BootcError(
      "Either --source-imgref must be defined or this command must be executed inside a podman container",
      { kind: "usage", hint: "for example --source-imgref docker://quay.io/example/os:latest" },
    );
  }
  await requireRoot(ctx);
  await requireHostProcesses();
  return await readOwnImage(ctx, requireContainer(parseContainerEnv(text)));
}

async function requireHostProcesses(): Promise<void> {
  if ((await stat("/proc/1")).uid !== 0) {
    throw new BootcError("The host's user namespace is not that of root", {
      hint: "run podman as root",
    });
  }
  // With its own process namespace, the container cannot reach the host's podman.
  if (process.pid === 1) {
    throw new BootcError("The container does not see the host's processes", {
      hint: "run the container with `podman run --pid=host`",
    });
  }
}

/** The content of /run/.containerenv, which podman writes. */
export interface ContainerEnv {
  readonly engine: string;
  readonly image: string;
  readonly imageId: string;
  readonly isRootless: boolean;
}

/** Parses lines of `key="value"`. */
export function parseContainerEnv(text: string): ContainerEnv {
  const value = (key: string) =>
    new RegExp(`^${key}=(?:"(.*)"|(\\S*))$`, "m").exec(text)?.slice(1).find(Boolean) ?? "";
  return {
    engine: value("engine"),
    image: value("image"),
    imageId: value("imageid"),
    isRootless: value("rootless") === "1",
  };
}

/** Refuses what upstream refuses: rootless podman, other engines, an unknown image. */
export function requireContainer(container: ContainerEnv): ContainerEnv {
  if (container.isRootless) {
    throw new BootcError("Cannot install from rootless podman; this command must be run as root", {
      hint: "run podman as root",
    });
  }
  if (!container.engine.startsWith("podman")) {
    throw new BootcError(`Cannot install from the container engine \`${container.engine}\``, {
      kind: "unsupported",
      hint: "use podman, or name the image with --source-imgref",
    });
  }
  if (container.imageId === "") {
    throw new BootcError("the container does not say which image it was created from", {
      hint: "run the container with `podman run --privileged`",
    });
  }
  return container;
}

async function readOwnImage(ctx: Context, env: ContainerEnv): Promise<InstallSource> {
  const digest = await doing(`looking for the image of this container, ${env.imageId}`, () =>
    // The image is in the host's storage, so we ask the host's podman.
    readHostImageDigest(ctx, env.imageId),
  );
  const name = env.image.replace(/@sha256:[0-9a-f]+$/, "");
  // The container storage does not accept a tag and a digest together.
  const bare = name.replace(/:[^:/]+$/, "");
  const image = { transport: "containers-storage" as const, name: `${bare}@${digest}` };
  return { image, name, isOwnContainer: true };
}
