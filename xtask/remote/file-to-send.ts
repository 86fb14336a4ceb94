// A file as a request body or as a part of a form: streamed, with its length, and with progress.
import { openAsBlob } from "node:fs";
import { basename } from "node:path";

export interface FileToSend {
  readonly path: string;
  /** Its media type. */
  readonly type: string;
  /** Called with the number of bytes sent so far. */
  readonly onProgress: (sentBytes: number, sizeBytes: number) => void;
}

/** Opens the file, which `fetch` reads again for each request. */
export async function openToSend({ path, type, onProgress }: FileToSend): Promise<File> {
  return new CountedFile(await openAsBlob(path), { name: basename(path), type, onProgress });
}

class CountedFile extends File {
  readonly #onProgress: FileToSend["onProgress"];

  constructor(blob: Blob, { name, type, onProgress }: Omit<FileToSend, "path"> & { name: string }) {
    super([blob], name, { type });
    this.#onProgress = onProgress;
  }

  override stream(): ReturnType<File["stream"]> {
    let sentBytes = 0;
    const count = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform: (chunk, controller) => {
        controller.enqueue(chunk);
        sentBytes += chunk.length;
        this.#onProgress(sentBytes, this.size);
      },
    });
    return super.stream().pipeThrough(count);
  }
}
