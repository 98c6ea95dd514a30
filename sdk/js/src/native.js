/**
 * The entry for React Native.
 * @module
 */
import './events.js';

export * from './index.js';
