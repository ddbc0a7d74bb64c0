/** The codec: values to bytes and back, in V8's own wire format. */
export { decode, decodesNatively } from "./decode";
export { encode, encodesNatively } from "./encode";
export { readLatin1 } from "./strings";
export { ByteWriter } from "./writer";
