export class Direct {
  async start () {}
  stop () {}
  met () {}
}
