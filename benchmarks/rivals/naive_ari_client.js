// The same flow on node's ari-client, as its README would write it: no rows, no checks, no proof.
// node naive_ari_client.js URL USER APPLICATION SOUND, with the password in the environment.
const [url, user, application, sound] = process.argv.slice(2);
require('ari-client').connect(url, user, process.env.ARI_PASSWORD, (error, client) => {
  if (error) throw error;
  client.on('StasisStart', async (event, channel) => {
    await channel.answer();
    const playback = client.Playback();
    playback.once('PlaybackFinished', async () => {
      await channel.setChannelVar({ variable: 'TOLD', value: 'yes' });
      await channel.continueInDialplan();
    });
    await channel.play({ media: `sound:${sound}` }, playback);
  });
  client.start(application);
  console.log('ready');
});
