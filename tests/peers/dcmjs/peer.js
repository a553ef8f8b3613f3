// dcmjs-dimse as a peer. Prints one JSON object a line.
//   node peer.js serve PORT FOLDER STUDIES MOVE_PORT   answers C-ECHO, C-STORE, C-FIND and C-MOVE
//   node peer.js send PORT CALLED FILE...              C-ECHO, then C-STORE of each file
// What it receives is kept as it came: FOLDER/<SOP Instance UID> holds the bytes of the data set.
'use strict';
const fs = require('fs');
const path = require('path');
const { Writable } = require('stream');
const { Client, Dataset, Scp, Server, constants, log, requests, responses } = require('dcmjs-dimse');
const { PresentationContextResult, Status, TransferSyntax } = constants;

log.setLevel('error');
const say = (what) => process.stdout.write(JSON.stringify(what) + '\n');

class Peer extends Scp {
  associationRequested(association) {
    for (const { id } of association.getPresentationContexts()) {
      const context = association.getPresentationContext(id);
      const offered = context.getTransferSyntaxUids();
      const chosen = offered.includes(TransferSyntax.ExplicitVRLittleEndian)
        ? TransferSyntax.ExplicitVRLittleEndian
        : offered[0];
      context.setResult(PresentationContextResult.Accept, chosen);
    }
    this.sendAssociationAccept();
  }

  createStoreWritableStream() {
    const chunks = (this.chunks = []);
    return new Writable({
      write(chunk, encoding, done) {
        chunks.push(Buffer.from(chunk));
        done();
      },
    });
  }

  createDatasetFromStoreWritableStream(writable, context, done) {
    this.content = Buffer.concat(this.chunks);
    done(new Dataset({}, context.getAcceptedTransferSyntaxUid()));
  }

  cEchoRequest(request, done) {
    done(status(responses.CEchoResponse, request, Status.Success));
  }

  cStoreRequest(request, done) {
    fs.writeFileSync(path.join(options.folder, request.getAffectedSopInstanceUid()), this.content);
    done(status(responses.CStoreResponse, request, Status.Success));
  }

  cFindRequest(request, done) {
    const found = [];
    for (let number = 1; number <= options.studies; number++) {
      const one = status(responses.CFindResponse, request, Status.Pending);
      one.setDataset(new Dataset({ QueryRetrieveLevel: 'STUDY', StudyInstanceUID: `1.2.3.${number}`, StudyDate: '20200131' }));
      found.push(one);
    }
    done([...found, status(responses.CFindResponse, request, Status.Success)]);
  }

  cMoveRequest(request, done) {
    const files = fs.readdirSync(options.folder).filter((name) => name.endsWith('.dcm'));
    send(options.movePort, 'MIGRATE', files.map((name) => path.join(options.folder, name)), (statuses) => {
      const end = status(responses.CMoveResponse, request, Status.Success);
      end.setCompleted(statuses.filter((one) => one === Status.Success).length);
      end.setFailures(statuses.filter((one) => one !== Status.Success).length);
      done([end]);
    });
  }

  associationReleaseRequested() {
    this.sendAssociationReleaseResponse();
  }
}

function status(kind, request, value) {
  const response = kind.fromRequest(request);
  response.setStatus(value);
  return response;
}

function send(port, called, files, done) {
  const client = new Client();
  const statuses = [];
  const add = (request) => {
    request.on('response', (response) => statuses.push(response.getStatus()));
    client.addRequest(request);
  };
  add(new requests.CEchoRequest());
  files.forEach((file) => add(new requests.CStoreRequest(file)));
  client.on('networkError', (error) => say({ error: String(error) }));
  client.on('closed', () => done(statuses.slice(1)));
  client.send('127.0.0.1', port, 'DCMJS', called);
}

const [verb, port, ...rest] = process.argv.slice(2);
const options = { folder: rest[0], studies: Number(rest[1]), movePort: Number(rest[2]) };
if (verb === 'serve') {
  const server = new Server(Peer);
  server.on('networkError', (error) => say({ error: String(error) }));
  server.listen(Number(port));
  say({ listening: Number(port) });
} else {
  send(Number(port), rest[0], rest.slice(1), (statuses) => say({ statuses }));
}
