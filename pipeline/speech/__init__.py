"""From sound to turns: audio, voice activity, words, speakers, roles, turns."""
